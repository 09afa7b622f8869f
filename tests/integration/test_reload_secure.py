"""Settings of the secure port that a reload changes, beside certificates, registration and proxies, which have
tests of their own (test_secure_keys.py, test_secure_register.py, test_secure_proxy.py)."""

import pytest
from peer.accounts import Account, Reason
from peer.secure import Refused, ended

LONG = 3600


def test_a_reload_changes_how_many_users_there_may_be(make_secure, new_account, fresh_name):
    server = make_secure(users=1)
    new_account(server)
    with server.connect_secure() as client, pytest.raises(Refused) as refused:
        client.register(Account(), fresh_name())
    assert refused.value.reason == Reason.FULL
    server.reload(users=2)
    new_account(server)
    server.reload(users=1)  # who is there stays
    with server.connect_secure() as client, pytest.raises(Refused) as refused:
        client.register(Account(), fresh_name())
    assert refused.value.reason == Reason.FULL


def test_a_reload_changes_how_long_a_stranger_may_take(make_secure):
    server = make_secure(sign_in_timeout=LONG)
    server.reload(sign_in_timeout=1)
    with server.connect_secure() as client:
        assert ended(client)
