"""What staff enter of a connection, and what each field says when it is not so."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextInputWidget

from ingestion.models import Client, ClientConnection
from ingestion.models.connection import ROLE_ARN

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[ClientConnection]
else:
    ModelForm = forms.ModelForm  # has no type argument at run time

# Of a key's prefix, as of a key: S3 counts bytes of UTF-8.
PREFIX_BYTES = 1024
MESSAGES = {
    "bucket": {
        "invalid": "Only the bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens,"
        " without s3:// and without the prefix."
    },
    "region": {"invalid": "The region's code, as eu-central-1."},
    "role_arn": {
        "invalid": "The role's whole ARN, as arn:aws:iam::123456789012:role/kcx-read"
        " (not the ARN of a user, a policy or a session)."
    },
    "kms_key_arn": {
        "invalid": "The key's whole ARN, as arn:aws:kms:eu-central-1:123456789012:key/..."
        " (not an alias, not the id alone)."
    },
    "bucket_owner": {"invalid": "The twelve digits of an AWS account."},
    "name": {"invalid": "A name has at least one character that is no digit."},
}


class ConnectionForm(ModelForm):
    """The settings of a connection."""

    class Meta:
        error_messages = MESSAGES
        labels = {"role_arn": "Role ARN", "next_discovery_at": "Next discovery at (UTC)"}

    def clean_prefix(self) -> str:
        """Refuse what no prefix is, as far as that can be told without looking into the bucket."""
        prefix = str(self.cleaned_data["prefix"])
        if prefix.startswith("s3:"):
            raise ValidationError("Only the prefix, without s3:// and the bucket's name.")
        if len(prefix.encode()) > PREFIX_BYTES:
            raise ValidationError(f"S3 keys have {PREFIX_BYTES} bytes at most.")
        return prefix


class AddForm(ConnectionForm):
    """A new connection; its client is chosen, or made on the way."""

    new_client = forms.CharField(
        label="or a new client's name",
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="The client is made with the connection.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Neither of the two ways to name the client is required, and the name can be left to KCX."""
        super().__init__(*args, **kwargs)
        self.fields["client"].required = self.fields["name"].required = False
        for what in ("add", "change", "view"):  # in a window of its own, to which this form is the better way
            setattr(self.fields["client"].widget, f"can_{what}_related", False)
        self.fields["name"].help_text = "Left empty: the client's name and the bucket."
        self.fields["role_arn"].help_text = "Left empty until the client has made the role and sent its ARN."
        self.fields[
            "kms_key_arn"
        ].help_text = "Only where the client encrypts the exports with a key of its own."

    def clean_prefix(self) -> str:
        """Refuse a slash at the beginning, too: AWS writes no such key, and people do."""
        prefix = super().clean_prefix()
        if prefix.startswith("/"):
            raise ValidationError(
                "Without the slash at the beginning: the keys of AWS's exports have none."
                " Where the client's really do, use manage.py onboard."
            )
        return prefix

    def clean_new_client(self) -> str:
        """Refuse the name of a client that is there, however it is written."""
        name = str(self.cleaned_data["new_client"])
        same = Client.objects.filter(name__iexact=name).first() if name else None
        if same:
            raise ValidationError(f"There is a client “{same}” already: choose it.")
        return name

    def clean(self) -> dict[str, Any]:
        """Exactly one of the two ways to name the client."""
        entered: dict[str, Any] = super().clean() or self.cleaned_data
        if "client" in entered and "new_client" in entered:
            if entered["client"] and entered["new_client"]:
                self.add_error("new_client", "Either choose a client or name a new one.")
            elif not (entered["client"] or entered["new_client"]):
                self.add_error("client", "Choose the client, or name a new one.")
        return entered

    @property
    def client_name(self) -> str:
        """Whose connection it is."""
        return str(self.cleaned_data["client"] or self.cleaned_data["new_client"])


class RoleForm(forms.Form):
    """The role alone, on the connection's home."""

    role_arn = forms.RegexField(regex=ROLE_ARN, max_length=2048, error_messages=MESSAGES["role_arn"])
