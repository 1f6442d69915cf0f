"""What keeps the record of activity provable: its sealer, and the anchor of its head."""

from django.utils.translation import gettext_lazy

from backoffice.audit import anchors, chain
from backoffice.jobs import registry

registry.every(seconds=5, name="audit.seal", label=gettext_lazy("Link the record of activity"))(
    chain.seal
)
registry.every(
    seconds=3600, name="audit.anchor", label=gettext_lazy("Note the head of the record")
)(anchors.keep)
