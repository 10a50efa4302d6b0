-- The cells are text, exactly as AWS wrote them: cast where you use them.
select
    kcx_billing_period as billing_period,
    sum("lineItem/UnblendedCost"::numeric) as unblended_cost,
    count(*) as line_items
from {{ source('kcx', 'daily') }}
group by 1
