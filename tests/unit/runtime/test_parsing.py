"""Where a request begins and ends does not depend on how its bytes come, and every byte of it is bounded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.unit.runtime.wires import ROOM, Outcome, sent

POST = b"POST /predict?a=b HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
INSIDE = b"\r\nupgrade: aa\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"  # a body that looks like the end of a head, and another request

READ = {
    "nothing": b"GET /a%20b HTTP/1.1\r\nX: pgrade\r\n\r\n",
    "a length": POST + b"Content-Length: 3\r\n\r\nabc",
    "zeros before a length": POST + b"Content-Length: 0003\r\n\r\nabc",
    "a body like a head": POST + b"Content-Length: %d\r\n\r\n%b" % (len(INSIDE), INSIDE),
    "chunks": CHUNKED + b"3\r\nabc\r\n002;e=f\r\nde\r\n0\r\n\r\n",
    "trailers": CHUNKED + b"3\r\nabc\r\n0\r\nX: y\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "a word on upgrades": POST + b"Upgrade: h2c\r\nContent-Length: %d\r\n\r\n%b" % (len(INSIDE), INSIDE),
    "an offer": b"GET /a HTTP/1.1\r\n" + OFFER + b"\r\n",
    "an offer with a length": POST + OFFER + b"Content-Length: %d\r\n\r\n%b" % (len(INSIDE), INSIDE),
    "an offer with no body": POST + OFFER + b"Content-Length: 0\r\n\r\n",
    "an offer with chunks": POST + OFFER + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
    "an absolute target": b"GET http://y/a?b HTTP/1.1\r\n\r\n",
    "a star": b"OPTIONS * HTTP/1.1\r\n\r\n",
    "a head alone": b"HEAD /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    "kept alive": b"POST /a HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc",
    "empty lines before": b"\r\n\r\n" + POST + b"Content-Length: 3\r\n\r\nabc",
}
LAST = {
    "closed": POST + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc",
    "closed after an offer": POST + OFFER.replace(b"Upgrade,", b"Upgrade, close,") + b"Content-Length: 3\r\n\r\nabc",
    "the old version": b"POST /a HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
}
REFUSED = {
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "a sign": POST + b"Content-Length: +3\r\n\r\nabc",
    "no length": POST + b"Content-Length:\r\n\r\nabc",
    "a huge length": POST + b"Content-Length: 99999999999999999999\r\n\r\nabc",
    "many zeros": POST + b"Content-Length: %b3\r\n\r\nabc" % (b"0" * 30),
    "a length and chunks": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "chunks twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "nearly chunks": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks of something": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "no coding": POST + b"Transfer-Encoding:\r\n\r\n",
    "chunks in the old version": b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded header": POST + b"X: a\r\n b\r\n\r\n",
    "a folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "lines without CR": CHUNKED.replace(b"\r", b"") + b"0\n\n",
    "a line without CR": POST + b"X: a\nContent-Length: 3\r\n\r\nabc",
    "a line without LF": POST + b"X: a\rContent-Length: 3\r\n\r\nabc",
    "a head that ends without CR": POST + b"Content-Length: 3\r\n\nabc",
    "a space before the colon": POST + b"Content-Length : 3\r\n\r\nabc",
    "a space before the name": b"POST /a HTTP/1.1\r\n Content-Length: 3\r\n\r\nabc",
    "a NUL": POST + b"X: a\0b\r\n\r\n",
    "a NUL in a name": POST + b"X\0: a\r\n\r\n",
    "a NUL in the target": b"GET /\0 HTTP/1.1\r\n\r\n",
    "no name": POST + b": a\r\n\r\n",
    "no colon": POST + b"a\r\n\r\n",
    "small letters": b"GET / http/1.1\r\n\r\n",
    "a small verb": b"get / HTTP/1.1\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "a version before": b"GET / HTTP/0.9\r\n\r\n",
    "a version after": b"GET / HTTP/2.0\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a tunnel": b"CONNECT a:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tunnel with a body": b"CONNECT a:80 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    "a huge chunk": CHUNKED + b"ffffffffffffffff3\r\nabc\r\n0\r\n\r\n",
    "a chunk with a sign": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
    "a chunk in hexadecimal": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "a chunk without CR": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "a chunk of another length": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "an extension without CR": CHUNKED + b"3;a\nabc\r\n0\r\n\r\n",
    "an extension without LF": CHUNKED + b"3;a\rb\r\nabc\r\n0\r\n\r\n",
    "an answer": b"HTTP/1.1 200 OK\r\n\r\n",
}  # fmt: skip


def in_pieces(data: bytes) -> Iterator[list[bytes]]:
    """The same bytes cut in two at every place, and each byte by itself."""
    for cut in range(1, len(data)):
        yield [data[:cut], data[cut:]]
    yield [data[n : n + 1] for n in range(len(data))]


def same_in_pieces(data: bytes) -> Outcome:
    """What becomes of the bytes, which must be the same however they come."""
    whole = sent([data])
    for packets in in_pieces(data):
        found = sent(packets)
        assert (found.asked, found.statuses) == (whole.asked, whole.statuses), packets
        assert found.free == ROOM, packets
    assert whole.free == ROOM
    return whole


@pytest.mark.parametrize("name", READ)
def test_what_is_read_ends_where_it_ends(name: str) -> None:
    """However it is cut, a request has its own body, and the one behind it is read as what it is."""
    found = same_in_pieces(READ[name] + NEXT)
    assert found.statuses == [b"200", b"200"]
    assert [one.path for one in found.asked][1] == "/next"
    alone = sent([READ[name]]).asked
    assert found.asked[:1] == alone
    if b"abc" in READ[name]:
        assert alone[0].body in (b"abc", b"abcde")
    elif INSIDE in READ[name]:
        assert alone[0].body == INSIDE
    else:
        assert alone[0].body == b""


@pytest.mark.parametrize("name", LAST)
def test_nothing_is_answered_behind_the_last(name: str) -> None:
    """A request that ends the connection has its answer, and it is the last."""
    found = same_in_pieces(LAST[name] + NEXT)
    assert found.statuses == [b"200"]
    assert found.asked[0].body == b"abc"


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_be_read_in_two_ways_is_refused(name: str) -> None:
    """It never reaches the application, and nothing behind it is read; one before it has its answer."""
    found = same_in_pieces(REFUSED[name] + NEXT)
    assert len(found.statuses) == 1
    assert found.statuses[0] in (b"400", b"501", b"505")
    assert found.asked == []
    after = sent([NEXT + REFUSED[name] + NEXT])
    assert (after.statuses, len(after.asked)) == ([b"200", *found.statuses], 1)


def test_an_unknown_method_is_not_implemented() -> None:
    """RFC 9110, 9.1: 501 where its line is whole, else 400; nothing behind it is read."""
    unknown = b"BREW /pot HTTP/1.1\r\n\r\n"
    assert sent([unknown + NEXT]).statuses == [b"501"]
    for packets in in_pieces(unknown):
        assert sent([*packets, NEXT]).statuses in ([b"400"], [b"501"])


def test_requests_in_one_packet_are_those_in_two() -> None:
    """Each pair in one packet is what it is in two."""
    for first, second in itertools.product(READ.values(), (READ | LAST).values()):
        alone, together = sent([first, second]), sent([first + second])
        assert (together.asked, together.statuses) == (alone.asked, alone.statuses), (first, second)


def test_the_same_head_again_is_the_same_request() -> None:
    """What is answered from memory is what is parsed, an offer of another protocol or not."""
    for request in READ.values():
        found = sent([request] * 3)
        assert found.statuses == [b"200"] * 3
        assert found.asked == found.asked[:1] * 3, request


ENDLESS = {
    "a target": (b"GET /", b"a" * 1000, b"431"),
    "a header": (POST + b"X: ", b"a" * 1000, b"431"),
    "spaces": (POST + b"X:", b" " * 1000, b"431"),
    "headers": (POST, b"X: y\r\n" * 100, b"431"),
    "empty lines": (b"", b"\r\n" * 500, b"431"),
    "a chunk's size": (CHUNKED, b"0" * 1000, b"400"),
    "an extension": (CHUNKED + b"1;", b"a" * 1000, b"400"),
    "extensions": (CHUNKED, b"1;%b\r\na\r\n" % (b"a" * 100), b"400"),
    "a trailer": (CHUNKED + b"0\r\nX: ", b"a" * 1000, b"400"),
    "trailers": (CHUNKED + b"0\r\n", b"X: y\r\n" * 100, b"400"),
    "trailers behind an offer": (
        POST + OFFER + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
        b"X: y\r\n" * 100,
        b"400",
    ),
}


@pytest.mark.parametrize("packet", [1000, 50_000])
@pytest.mark.parametrize("name", ENDLESS)
def test_nothing_of_a_request_is_endless(name: str, packet: int) -> None:
    """Whatever is repeated, the server reads 64 KiB of it, a packet and 16 bytes a chunk more, and says that it is too much."""
    begin, more, status = ENDLESS[name]
    packets = itertools.chain([begin or b"\r\n"], itertools.repeat(more * (packet // len(more)), 10**7 // packet))
    found = sent(packets)
    assert found.statuses == [status]
    assert found.read <= 80_000 + 2 * packet
    assert found.free == ROOM
    assert found.least > ROOM - 200_000


def test_small_chunks_are_no_attack() -> None:
    """A body that comes byte by byte is read, though its chunks' sizes are five times as long."""
    chunks = [b"1\r\na\r\n"] * 50_000
    found = sent([CHUNKED, *[b"".join(chunks[n : n + 500]) for n in range(0, len(chunks), 500)], b"0\r\n\r\n"])
    assert found.statuses == [b"200"]
    assert len(found.asked[0].body) == 50_000


def test_a_body_takes_its_part_of_the_room_until_it_is_answered() -> None:
    """A body for which there is no room is answered with 503 and read no further; what it took is given back."""
    head = POST + b"Content-Length: 900000\r\n\r\n"
    pieces = [b"a" * 100_000] * 9
    assert sent([head, *pieces]).statuses == [b"200"]
    assert sent([head, *pieces]).least < ROOM - 790_000
    full = sent([head, *pieces], room=500_000)
    assert full.statuses == [b"503"]
    assert b"\r\nRetry-After: 1\r\n" in full.said
    assert full.free == 500_000
    assert full.read < 700_000


def test_who_leaves_gives_back_what_he_took() -> None:
    """In a head, in a body, in a queue: nothing stays taken, and nothing is taken twice."""
    for request in (POST + b"X: " + b"a" * 5000, POST + b"Content-Length: 90000\r\n\r\n" + b"a" * 80_000):
        found = sent([NEXT + request[:100], request[100:]])
        assert found.free == ROOM
        assert found.least < ROOM - 5000
