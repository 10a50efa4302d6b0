"""What ARNs and a region say of the place they are in, and whether they can belong together."""


def partition_of(region: str) -> str:
    """The AWS partition of a region: aws, aws-cn or aws-us-gov."""
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rpartition("-")[0].rpartition("-")[0], "aws")


def misfits(role_arn: str, kms_key_arn: str, region: str, kcx_account_id: str) -> dict[str, str]:
    """By field, why it cannot be that of a bucket in this region; what is empty or no ARN is left out.

    `kcx_account_id`: KCX's own, '' where it is not known.
    """
    wrong = {}
    expected = partition_of(region)
    partition, _, account = _place(role_arn) or (expected, "", "")
    if partition != expected:
        wrong["role_arn"] = f"A role of {partition} reaches no bucket in {region}, which is in {expected}."
    elif account and account == kcx_account_id:
        wrong["role_arn"] = "This is KCX's own account: the client makes the role in its own."
    of_key = _place(kms_key_arn)
    if of_key and of_key[:2] != (expected, region):
        wrong["kms_key_arn"] = (
            f"The key is in {of_key[1]} ({of_key[0]}): of a bucket in {region} it is there."
        )
    return wrong


def _place(arn: str) -> tuple[str, str, str] | None:
    """Partition, region and account."""
    parts = arn.split(":")
    return (parts[1], parts[3], parts[4]) if len(parts) > 5 else None
