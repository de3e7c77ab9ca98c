//! Makes the clip at set-up by ffmpeg (and espeak-ng, where it is there), once, into a cache folder.
#![expect(clippy::disallowed_methods, reason = "I/O: it starts programs and reads what they wrote")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;

use super::clip::Clip;

/// What to encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// 1280×720 for 720.
    pub height: u32,
    /// Pictures per second.
    pub frame_rate: u32,
    /// Kilobits per second of the picture.
    pub bitrate_kbps: u32,
    /// Length before it repeats.
    pub seconds: u32,
}

impl Recipe {
    /// What the peers were measured with: 1.5 Mbit/s, 30 pictures a second, and voice.
    pub const LESSON: Self = Self { height: 720, frame_rate: 30, bitrate_kbps: 1_500, seconds: 20 };

    /// The clip of this recipe, from `cache` where it has been made before.
    ///
    /// # Errors
    /// ffmpeg is missing or fails, or its output cannot be read.
    pub fn clip(&self, cache: &Path) -> Result<Clip> {
        fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
        let name = format!("{}p{}-{}k-{}s", self.height, self.frame_rate, self.bitrate_kbps, self.seconds);
        let picture = cache.join(format!("{name}.h264"));
        let voice = cache.join(format!("voice-{}s.ogg", self.seconds));
        make(&picture, |out| self.encode_picture(out))?;
        make(&voice, |out| self.encode_voice(out))?;
        let h264 = Bytes::from(fs::read(&picture)?);
        Clip::read(&h264, &fs::read(&voice)?, self.frame_rate)
            .with_context(|| format!("{} holds no lesson: delete it and try again", picture.display()))
    }

    fn encode_picture(&self, out: &Path) -> Result<()> {
        let Self { height, frame_rate, bitrate_kbps, seconds } = self;
        let width = height * 16 / 9;
        let gop = frame_rate * GOP_SECONDS;
        run(Command::new("ffmpeg")
            .args(["-y", "-v", "error", "-f", "lavfi", "-i"])
            .arg(format!("testsrc2=size={width}x{height}:rate={frame_rate}"))
            .args(["-t", &seconds.to_string(), "-pix_fmt", "yuv420p", "-c:v", "libx264", "-profile:v", "baseline"])
            .args(["-preset", "veryfast", "-tune", "zerolatency", "-b:v", &format!("{bitrate_kbps}k")])
            .args(["-maxrate", &format!("{bitrate_kbps}k"), "-bufsize", &format!("{}k", bitrate_kbps / 2)])
            .args([
                "-x264-params",
                &format!("keyint={gop}:min-keyint={gop}:scenecut=0:sliced-threads=0:repeat-headers=1"),
            ])
            .args(["-f", "h264"])
            .arg(out))
    }

    fn encode_voice(&self, out: &Path) -> Result<()> {
        let speech = out.with_extension("wav");
        let spoken = run(Command::new("espeak-ng").args(["-v", "cmn", "-s", "150", "-w"]).arg(&speech).arg(SPEECH));
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-y", "-v", "error"]);
        if spoken.is_ok() {
            ffmpeg.args(["-stream_loop", "-1", "-i"]).arg(&speech);
        } else {
            ffmpeg.args(["-f", "lavfi", "-i", "anoisesrc=color=pink:amplitude=0.3:sample_rate=48000"]);
        }
        ffmpeg
            .args(["-t", &self.seconds.to_string(), "-ar", "48000", "-ac", "1", "-c:a", "libopus", "-b:a", "32k"])
            .args(["-vbr", "on", "-application", "voip", "-frame_duration", "20", "-fec", "1", "-packet_loss", "10"])
            .args(["-f", "ogg"])
            .arg(out);
        let encoded = run(&mut ffmpeg);
        if spoken.is_ok() {
            fs::remove_file(&speech)?;
        }
        encoded
    }
}

/// Writes beside the place and renames, so that a broken run leaves no half clip.
fn make(out: &Path, encode: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if out.exists() {
        return Ok(());
    }
    let extension = out.extension().unwrap_or_default().to_string_lossy().into_owned();
    let draft: PathBuf = out.with_extension(format!("{}.{extension}", std::process::id()));
    encode(&draft)?;
    fs::rename(&draft, out).with_context(|| format!("cannot keep {}", out.display()))
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{program} is needed to make the clip: install it (apt install {program})"))?;
    ensure!(output.status.success(), "{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// A lost keyframe costs at most this long, and PLI finds one as soon.
const GOP_SECONDS: u32 = 2;
const SPEECH: &str = "同学们好，今天我们学习牛顿第二定律。力等于质量乘以加速度。请第二教学点的同学回答这个问题。";
