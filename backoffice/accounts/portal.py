"""Pages about oneself on the seller site."""

from backoffice.accounts.admin import acting_pages, own_sessions, token_pages
from backoffice.accounts.admin.proof import ChallengePage
from backoffice.site import chrome, seller_site

for page in (ChallengePage, acting_pages.EndActingPage, *own_sessions.PAGES, *token_pages.OWN):
    seller_site.add_page(page)
chrome.contribute(acting_pages.banner)
