"""Pages about oneself on the seller site."""

from backoffice.accounts.admin import own_sessions
from backoffice.accounts.admin.proof import ChallengePage
from backoffice.site import seller_site

for page in (ChallengePage, *own_sessions.PAGES):
    seller_site.add_page(page)
