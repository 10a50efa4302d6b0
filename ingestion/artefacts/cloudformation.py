"""The role as a CloudFormation template."""

import json

from ingestion.artefacts.artefact import POLICY_NAME, Grant


def cloudformation(grant: Grant) -> str:
    """A template in JSON of one role; its output is the role's ARN. Needs CAPABILITY_NAMED_IAM."""
    role = {
        "RoleName": grant.role_name,
        "Path": grant.role_path,
        "AssumeRolePolicyDocument": grant.trust,
        "Policies": [{"PolicyName": POLICY_NAME, "PolicyDocument": grant.permission}],
    }
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Lets KCX list and read the billing exports under one prefix, and nothing else.",
        "Resources": {"KcxRead": {"Type": "AWS::IAM::Role", "Properties": role}},
        "Outputs": {
            "RoleArn": {
                "Description": "Send this to KCX.",
                "Value": {"Fn::GetAtt": ["KcxRead", "Arn"]},
            }
        },
    }
    # CloudFormation reads JSON as YAML, which has no pairs of surrogates. Outside Fn::Sub `${` is itself.
    return json.dumps(template, indent=2, ensure_ascii=False)
