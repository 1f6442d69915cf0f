"""Pages about oneself on the seller site."""

from backoffice.accounts.admin.proof import ChallengePage
from backoffice.site import seller_site

seller_site.add_page(ChallengePage)
