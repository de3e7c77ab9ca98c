"""GStreamer's webrtcbin plays a lesson of the hub by WHEP: H.264 and Opus, decoded and counted.

Prints one JSON object. It reads the pictures of aiortc_client.py: eight bars that hold the number modulo 256.
The token comes from the environment (`TOKEN`). Needs Debian's python3-gst-1.0 and runs on Debian's Python.
"""

import argparse
import array
import json
import os
import urllib.error
import urllib.request
from urllib.parse import urljoin

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

BARS = 8
VOICE = "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2"
CAMERA = (
    "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000,"
    "packetization-mode=(string)1,profile-level-id=(string)42e01f,rtcp-fb-nack=(boolean)true,rtcp-fb-nack-pli=(boolean)true"
)
DECODERS = {
    "video": "rtph264depay ! avdec_h264 ! videoconvert ! video/x-raw,format=GRAY8 ! appsink name=end",
    "audio": "rtpopusdepay ! opusdec ! audioconvert ! audio/x-raw,format=S16LE,channels=1 ! appsink name=end",
}


class Player:
    def __init__(self, options):
        self.options = options
        self.counts = {"frames": 0, "read": 0, "advanced": 0, "samples": 0, "energy": 0.0, "state": "new"}
        self.last = None
        # Python's binding does not copy what a reply holds: it must outlive what was taken from it.
        self.kept = []
        self.pipeline = Gst.Pipeline.new()
        self.webrtc = Gst.ElementFactory.make("webrtcbin")
        self.webrtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.webrtc.connect("pad-added", self.on_pad)
        self.pipeline.add(self.webrtc)

    def run(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        for caps in (VOICE, CAMERA):
            receives = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
            self.webrtc.emit("add-transceiver", receives, Gst.Caps.from_string(caps))
        offer = self.ask("create-offer", None).get_value("offer")
        self.ask("set-local-description", offer)
        where, text = self.exchange(offer.sdp.as_text())
        _, message = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.ask("set-remote-description", answer)

        loop = GLib.MainLoop()
        GLib.timeout_add(int(self.options.seconds * 1000), loop.quit)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, error: (self.counts.update(error=str(error.parse_error())), loop.quit()))
        loop.run()

        self.counts["state"] = self.webrtc.get_property("connection-state").value_nick
        self.pipeline.set_state(Gst.State.NULL)
        with urllib.request.urlopen(urllib.request.Request(where, method="DELETE")) as answer:
            answer.read()
            self.counts["deleted"] = answer.status
        print(json.dumps(self.counts))

    def ask(self, verb, argument):
        promise = Gst.Promise.new()
        self.webrtc.emit(verb, argument, promise)
        promise.wait()
        reply = promise.get_reply()
        self.kept += [promise, reply]
        return reply

    def exchange(self, offer):
        headers = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": "application/sdp"}
        request = urllib.request.Request(self.options.url, offer.encode(), headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return urljoin(self.options.url, answer.headers["Location"]), answer.read().decode()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{error.code}: {error.read().decode()}")

    def on_pad(self, _, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        media = pad.get_current_caps().get_structure(0).get_string("media")
        decoder = Gst.parse_bin_from_description(DECODERS[media], True)
        end = decoder.get_by_name("end")
        end.set_property("emit-signals", True)
        end.set_property("sync", False)
        end.connect("new-sample", self.on_picture if media == "video" else self.on_sound)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def on_picture(self, end):
        sample = end.emit("pull-sample")
        shape = sample.get_caps().get_structure(0)
        width, height = shape.get_value("width"), shape.get_value("height")
        buffer = sample.get_buffer()
        # Rows are padded to four bytes.
        row = buffer.extract_dup(height // 2 * ((width + 3) // 4 * 4), width)
        number = 0
        for bar in range(BARS):
            middle = row[(2 * bar + 1) * width // (2 * BARS)]
            number = None if number is None or 64 < middle < 192 else number * 2 + (middle > 128)
        counts = self.counts
        counts["frames"] += 1
        counts["read"] += number is not None
        counts["advanced"] += number is not None and self.last is not None and 0 < (number - self.last) % 256 < 128
        counts["width"], counts["height"] = width, height
        self.last = self.last if number is None else number
        return Gst.FlowReturn.OK

    def on_sound(self, end):
        sample = end.emit("pull-sample")
        rate = sample.get_caps().get_structure(0).get_value("rate")
        buffer = sample.get_buffer()
        wave = array.array("h", buffer.extract_dup(0, buffer.get_size()))
        # In samples of 48 kHz, whatever the decoder gives.
        self.counts["samples"] += len(wave) * 48_000 // rate
        self.counts["energy"] += sum((one / 32768) ** 2 for one in wave) / rate
        return Gst.FlowReturn.OK


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    Gst.init(None)
    Player(options).run()


if __name__ == "__main__":
    main()
