"""What is pushed to a client that does not read: the newest, and how many it missed."""

from sfa_engine.wire.push import MAX_ITEMS, Push


def test_items_are_sent_together_and_once():
    woken = []
    push = Push(lambda: woken.append(True))
    push.put("a", 1)
    push.put("b", 2)
    push.put("a", 3)
    assert woken
    assert push.take() == [
        ("a", {"items": [1, 3], "missed": 0}),
        ("b", {"items": [2], "missed": 0}),
    ]
    assert push.take() == []


def test_a_client_that_does_not_read_gets_the_newest_and_their_number():
    push = Push(lambda: None)
    for number in range(MAX_ITEMS + 7):
        push.put("a", number)
    ((_, said),) = push.take()
    assert (said["missed"], said["items"][0], len(said["items"])) == (7, 7, MAX_ITEMS)


def test_a_push_is_closed_when_the_client_disconnects():
    gone = []
    push = Push(lambda: None)
    push.on_close(lambda: gone.append(1))
    push.on_close(lambda: gone.append(2))()
    push.close()
    push.close()
    assert gone == [1]
