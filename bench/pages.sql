-- What bench.pages fills a database with: two exports per connection, each with its last months and refreshes;
-- files as a registry of years has them, nearly all ingested, some failed, some waiting, a few loading now;
-- of every hundredth export a delivery that is not whole.
INSERT INTO ingestion_client (name, enabled, created_at)
SELECT 'Client ' || n, true, now() - interval '2 years' FROM generate_series(1, %(clients)s) n;

INSERT INTO ingestion_clientconnection
    (client_id, name, bucket, prefix, region, role_arn, external_id, bucket_owner, kms_key_arn, enabled,
     load_new_exports, load_history, unverified_reason, discovery_requested_by, discover_every, next_discovery_at,
     created_at)
SELECT c.id, 'Connection of ' || c.name || ' ' || n, 'bucket-' || n, '', 'us-east-1',
       'arn:aws:iam::123456789012:role/kcx', gen_random_uuid()::text, '', '', true, true, false, '', '',
       interval '1 hour', now(), now() - interval '2 years'
FROM generate_series(1, %(connections)s) n
JOIN ingestion_client c ON c.name = 'Client ' || (1 + n %% %(clients)s);
SELECT billing_create_partition(id::int) FROM ingestion_clientconnection;

INSERT INTO ingestion_export (connection_id, root, name, key_layout, mode, family, decision, has_manifests,
                              without_manifests, payer_account, first_seen_at)
SELECT c.id, 'exports/', x.name, 'data_export', '', 'cur_2_0', 'LOAD', true, false, '', now()
FROM ingestion_clientconnection c CROSS JOIN unnest(ARRAY['cur2', 'focus']) AS x (name);

INSERT INTO ingestion_deliveryscope (export_id, billing_period_start, key)
SELECT e.id, date_trunc('month', now() - make_interval(months => m))::date, ''
FROM ingestion_export e CROSS JOIN generate_series(0, %(months)s - 1) m;

INSERT INTO ingestion_delivery (scope_id, snapshot_id, status, reason, manifest_key, manifest_etag, listed_keys,
                                delivered_at, published_at, superseded_at, first_seen_at)
SELECT s.id, 'snapshot ' || n, CASE n WHEN 0 THEN 'CURRENT' ELSE 'SUPERSEDED' END, '', 'm', 'e', '{}',
       at, at + interval '20 minutes', CASE n WHEN 0 THEN NULL ELSE now() END, at
FROM ingestion_deliveryscope s CROSS JOIN generate_series(0, %(refreshes)s - 1) n,
LATERAL (SELECT least(now(), s.billing_period_start + interval '1 month') - n * interval '9 hours' AS at) t;

INSERT INTO ingestion_delivery (scope_id, snapshot_id, status, reason, manifest_key, manifest_etag, listed_keys,
                                delivered_at, first_seen_at)
SELECT max(s.id), 'not whole', 'INCOMPLETE', 'A listed file is missing.', 'm', 'e', '{}', now(), now()
FROM ingestion_deliveryscope s
WHERE s.export_id %% 100 = 1 AND s.billing_period_start = date_trunc('month', now())::date GROUP BY s.export_id;

INSERT INTO billing_columnlayout (digest, names, types, created_at)
VALUES (repeat('0', 64), '{a}', '{string}', now());

INSERT INTO ingestion_sourcefile
    (connection_id, export_id, key, etag, size, last_modified, storage_class, billing_period_start,
     billing_period_end, first_seen_at, status, skip_reason, ingested_at, layout_id, row_count, decoded_bytes,
     object_sha256, rows_sha256, error_code, error_message, next_action, failures, requested_by)
SELECT e.connection_id, e.id, 'exports/' || e.name || '/data/' || month || '/' || n || '.csv.gz', '"' || n || '"',
       5000000 + n, at, 'STANDARD', month, (month + interval '1 month')::date, at, status, '',
       CASE status WHEN 'INGESTED' THEN at + interval '20 minutes' END,
       CASE status WHEN 'INGESTED' THEN (SELECT id FROM billing_columnlayout LIMIT 1) END,
       CASE status WHEN 'INGESTED' THEN 50000 END, 5000000, '',
       CASE status WHEN 'INGESTED' THEN repeat('0', 64) ELSE '' END,
       CASE status WHEN 'FAILED' THEN (ARRAY['corrupt_gzip', 'ragged_row', 'kms_denied'])[1 + n %% 3] ELSE '' END,
       CASE status WHEN 'FAILED' THEN 'It is cut short.' ELSE '' END, '', 0, ''
FROM generate_series(1, %(files)s) n
JOIN (SELECT id, connection_id, name, row_number() OVER (ORDER BY id) - 1 AS position FROM ingestion_export) e
    ON e.position = n %% (2 * %(connections)s),
LATERAL (SELECT date_trunc('month', now() - make_interval(months => (n / (2 * %(connections)s)) %% %(months)s))::date
         AS month) m,
LATERAL (SELECT least(now(), month + interval '1 month') - (n %% 700) * interval '1 hour' AS at,
                CASE WHEN n %% 2000 = 1 THEN 'FAILED' WHEN n %% 2000 = 2 THEN 'NEW' ELSE 'INGESTED' END AS status) t;

INSERT INTO ingestion_deliveryfile (delivery_id, source_file_id, last_modified)
SELECT d.id, f.id, f.last_modified
FROM ingestion_sourcefile f
JOIN ingestion_deliveryscope s USING (export_id, billing_period_start)
JOIN ingestion_delivery d ON d.scope_id = s.id AND d.status = 'CURRENT';

INSERT INTO ingestion_discoveryrun
    (connection_id, actor, outcome, started_at, ended_at, listed, listed_bytes, registered, counts, error_code,
     error_message, next_action)
SELECT c.id, 'schedule', 'SUCCEEDED', now() - n * interval '1 hour', now() - n * interval '1 hour', 0, 0, 0, '{}',
       '', '', ''
FROM ingestion_clientconnection c CROSS JOIN generate_series(1, 500) n;

INSERT INTO ingestion_loadattempt
    (source_file_id, actor, worker, is_reload, outcome, started_at, ended_at, rows, bytes_read, error_code,
     error_message, next_action, error_column, evidence)
SELECT f.id, 'schedule', 'host:1', false, CASE f.status WHEN 'FAILED' THEN 'FAILED' ELSE 'SUCCEEDED' END, f.first_seen_at,
       f.first_seen_at + interval '9 seconds', coalesce(f.row_count, 0), f.size, f.error_code, f.error_message, '', '', '{}'
FROM ingestion_sourcefile f WHERE f.status <> 'NEW';

INSERT INTO ingestion_loadattempt
    (source_file_id, actor, worker, is_reload, outcome, started_at, progress_at, rows, bytes_read, error_code,
     error_message, next_action, error_column, evidence)
SELECT f.id, 'schedule', 'host:1', false, 'RUNNING', now() - interval '20 seconds', now(), 20000, f.size / 3, '', '',
       '', '', '{}'
FROM ingestion_sourcefile f WHERE f.status = 'NEW' ORDER BY f.id DESC LIMIT 4;

INSERT INTO ingestion_awsuse (connection_id, run, actor, subject, started_at, ended_at, calls, bytes_received)
SELECT f.connection_id, 'a' || a.id, 'schedule', f.key, a.started_at, a.ended_at,
       '{"AssumeRole": {"sent": 1, "refused": 0}, "GetObject": {"sent": 1, "refused": 0}}', f.size
FROM ingestion_loadattempt a JOIN ingestion_sourcefile f ON f.id = a.source_file_id WHERE a.ended_at IS NOT NULL;

-- One receipt for each file, of about the size a receipt has.
INSERT INTO ingestion_receipt (connection_id, sequence, kind, source_file_id, body, previous_sha256, sha256, created_at)
SELECT connection_id, place, 'FILE', id, '{"rows": "' || repeat(md5(id::text), 25) || '"}',
       repeat(CASE place WHEN 1 THEN '0' ELSE '1' END, 64), md5(id::text) || md5(id::text), ingested_at
FROM (SELECT *, row_number() OVER (PARTITION BY connection_id ORDER BY id) AS place
      FROM ingestion_sourcefile WHERE status = 'INGESTED') f;

-- The rows of one file in the middle: its page, its rows and a passport are looked at.
INSERT INTO billing_rawrow (connection_id, source_file_id, row_number, "values")
SELECT f.connection_id, f.id, n, ARRAY['value ' || n]
FROM (SELECT connection_id, id, row_count FROM ingestion_sourcefile WHERE status = 'INGESTED'
      ORDER BY id OFFSET %(files)s / 2 LIMIT 1) f, generate_series(1, f.row_count) n;
