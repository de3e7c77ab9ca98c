"""An aiortc client of the hub: `publish` sends by WHIP (RFC 9725), `play` receives by WHEP.

Prints one JSON object with what it sent or decoded. The pictures say which they are: eight vertical bars, black or
white, hold the number of the picture modulo 256; the sound is a tone of 1 kHz. The token comes from the environment
(`TOKEN`), so that it stands in no list of processes.
"""

import argparse
import asyncio
import fractions
import json
import os
import time
from urllib.parse import urljoin

import aiohttp
import numpy
from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack
from av import AudioFrame, VideoFrame

WIDTH, HEIGHT, BARS = 640, 360, 8
SAMPLE_RATE = 48_000
# 20 ms: what Opus is sent in.
SAMPLES = SAMPLE_RATE // 50


class CountedPictures(VideoStreamTrack):
    """Pictures at 30 a second, each with its number in bars."""

    def __init__(self):
        super().__init__()
        self.sent = 0

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        bits = [(self.sent >> bit) & 1 for bit in reversed(range(BARS))]
        row = numpy.repeat(numpy.array(bits, dtype=numpy.uint8) * 255, WIDTH // BARS)
        frame = VideoFrame.from_ndarray(numpy.repeat(row[None, :, None], HEIGHT, 0).repeat(3, 2), format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        self.sent += 1
        return frame


class Tone(AudioStreamTrack):
    """1 kHz at half of full scale."""

    def __init__(self):
        super().__init__()
        self.sent = 0
        self.began = None

    async def recv(self):
        if self.began is None:
            self.began = time.monotonic()
        await asyncio.sleep(max(0, self.began + self.sent / SAMPLE_RATE - time.monotonic()))
        at = numpy.arange(self.sent, self.sent + SAMPLES)
        wave = (numpy.sin(2 * numpy.pi * 1000 * at / SAMPLE_RATE) * 16384).astype(numpy.int16)
        frame = AudioFrame.from_ndarray(wave[None, :], format="s16", layout="mono")
        frame.pts, frame.sample_rate, frame.time_base = self.sent, SAMPLE_RATE, fractions.Fraction(1, SAMPLE_RATE)
        self.sent += SAMPLES
        return frame


def number_of(frame):
    """The number in the bars; None where a bar is neither black nor white."""
    gray = frame.to_ndarray(format="gray")
    width = gray.shape[1] // BARS
    number = 0
    for bar in range(BARS):
        middle = gray[gray.shape[0] // 4 : -gray.shape[0] // 4, bar * width + width // 4 : (bar + 1) * width - width // 4]
        if middle.max() - middle.min() > 100:
            return None
        number = number * 2 + int(middle.mean() > 128)
    return number


async def watch_pictures(track, counts):
    last = None
    try:
        while True:
            frame = await track.recv()
            number = number_of(frame)
            counts["frames"] += 1
            counts["read"] += number is not None
            counts["advanced"] += number is not None and last is not None and 0 < (number - last) % 256 < 128
            last = number if number is not None else last
            counts["width"], counts["height"] = frame.width, frame.height
    except MediaStreamError:
        pass


async def listen(track, counts):
    try:
        while True:
            frame = await track.recv()
            samples = frame.to_ndarray().astype(numpy.float64).reshape(-1) / 32768
            counts["samples"] += frame.samples
            counts["energy"] += float((samples**2).mean()) * frame.samples / frame.sample_rate
    except MediaStreamError:
        pass


async def connect(peer, session, url, token):
    """One POST with a complete offer; returns the session's own URL."""
    await peer.setLocalDescription(await peer.createOffer())
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
    async with session.post(url, data=peer.localDescription.sdp, headers=headers) as answer:
        text = await answer.text()
        if answer.status != 201:
            raise SystemExit(f"{answer.status}: {text}")
        where = urljoin(url, answer.headers["Location"])
    await peer.setRemoteDescription(RTCSessionDescription(sdp=text, type="answer"))
    return where


def only(kind, codec, capabilities):
    wanted = [one for one in capabilities.codecs if one.name.lower() in (codec, "rtx")]
    if not any(one.name.lower() == codec for one in wanted):
        raise SystemExit(f"this aiortc has no {codec} for {kind}")
    return wanted


async def run(options):
    counts = {"state": "new", "codec": None}
    peer = RTCPeerConnection()
    connected = asyncio.Event()

    @peer.on("connectionstatechange")
    def changed():
        if peer.connectionState in ("connected", "failed"):
            connected.set()

    tasks = []
    if options.role == "publish":
        pictures, tone = CountedPictures(), Tone()
        peer.addTransceiver(tone, direction="sendonly")
        sender = peer.addTransceiver(pictures, direction="sendonly")
        sender.setCodecPreferences(only("video", options.codec, RTCRtpSender.getCapabilities("video")))
    else:
        counts |= {"frames": 0, "read": 0, "advanced": 0, "samples": 0, "energy": 0.0}
        peer.addTransceiver("audio", direction="recvonly")
        receiver = peer.addTransceiver("video", direction="recvonly")
        receiver.setCodecPreferences(only("video", options.codec, RTCRtpReceiver.getCapabilities("video")))

        @peer.on("track")
        def on_track(track):
            work = watch_pictures if track.kind == "video" else listen
            tasks.append(asyncio.ensure_future(work(track, counts)))

    async with aiohttp.ClientSession() as session:
        where = await connect(peer, session, options.url, os.environ["TOKEN"])
        await asyncio.wait_for(connected.wait(), 10)
        counts["state"] = peer.connectionState
        await asyncio.sleep(options.seconds)
        if options.role == "publish":
            counts |= {"frames": pictures.sent, "samples": tone.sent}
        async with session.delete(where) as answer:
            await answer.read()
            counts["deleted"] = answer.status
    for task in tasks:
        task.cancel()
    await peer.close()
    print(json.dumps(counts))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=["publish", "play"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--codec", choices=["h264", "vp8"], default="h264")
    parser.add_argument("--seconds", type=float, default=10)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
