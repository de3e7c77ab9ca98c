//! What problems say: status, `type`, a Chinese title, a sentence that says what to do.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use recorder::composite::CompositeRefused;
use sfu::{OfferError, PatchError, TrackKind};

use super::{ApiError, GoneView};
use crate::{
    http::web::field::label,
    live::token::TokenError,
    state::concurrency::TooManyAtOnce,
    store::{Standing, StandsOn},
};
use school::{
    lesson::life::{LessonState, WrongState},
    library::{RightsError, Side},
    retention::{DeletionRule, StorageState},
};

impl ApiError {
    /// Status, the last part of `type`, title, and what to do.
    pub(super) fn words(&self) -> (StatusCode, &'static str, &'static str, String) {
        use StatusCode as S;
        match self {
            Self::SignedOut => (S::UNAUTHORIZED, "signed-out", "还没有登录", "请打开学校发给您的登录链接。".into()),
            Self::LinkRefused => (
                S::UNAUTHORIZED,
                "link-refused",
                "登录链接无效",
                "链接只能用一次，也会过期。请向管理员要一个新的链接。".into(),
            ),
            Self::Token(TokenError::Missing) => {
                (S::UNAUTHORIZED, "token-missing", "缺少令牌", "请在 Authorization 头里带上 Bearer 令牌。".into())
            }
            Self::Token(TokenError::Expired) => {
                (S::UNAUTHORIZED, "token-expired", "令牌已过期", "请重新进入课堂，取得新的令牌。".into())
            }
            Self::Token(TokenError::Forged | TokenError::OtherLesson | TokenError::OtherHolder) => {
                (S::UNAUTHORIZED, "token-refused", "令牌无效", "请检查令牌和课节地址是否对应。".into())
            }
            Self::WrongKind => (
                S::FORBIDDEN,
                "wrong-kind-of-token",
                "这个令牌不能做这件事",
                "推流要用主讲令牌，收看要用听讲或来宾令牌。".into(),
            ),
            Self::CrossSite => (S::FORBIDDEN, "cross-site", "请求来自别的网站", "请在同课自己的页面里操作。".into()),
            Self::NotFound => (S::NOT_FOUND, "not-found", "没有找到", "请检查地址，或者换一个账号再看。".into()),
            Self::TakenDown { reason } => (
                S::GONE,
                "taken-down",
                "录像已经下架",
                format!("下架原因：{reason}。需要恢复时，请在录像库里打开它，选“恢复上架”。"),
            ),
            Self::Rights(why) => (S::CONFLICT, "rights", "现在不能这样做", rights_words(why).into()),
            Self::NotAllowed => (
                S::FORBIDDEN,
                "not-allowed",
                "您的角色不能做这件事",
                "请换一个有权限的账号，或者请安全管理员授权。".into(),
            ),
            Self::Invalid { field, why } => {
                (S::UNPROCESSABLE_ENTITY, "invalid", "填写的内容不合要求", format!("请检查“{}”：{why}。", label(field)))
            }
            Self::BadLines(faults) => (
                S::UNPROCESSABLE_ENTITY,
                "bad-lines",
                "表格里有错误的行",
                format!("有 {} 处错误，一行也没有导入。请按列出的行号改好，再导入一次。", faults.len()),
            ),
            Self::AlreadyThere => (
                S::CONFLICT,
                "already-there",
                "已经有了",
                "同样的名称、代码或钥匙已经在用，或者曾经用过，请换一个。".into(),
            ),
            Self::StandsOn(StandsOn { what, count }) => {
                let (what, then) = match what {
                    Standing::Terms => ("个学期属于它", "请先删除这些学期"),
                    Standing::Courses => ("门课程排在里面", "请先删除这些课程"),
                    Standing::Agreements => ("份结对或收听授权在里面", "请换一个学期"),
                    Standing::Lessons => ("节课已经按它排好", "请先在调度里调开或停掉这些课"),
                };
                (S::CONFLICT, "stands-on", "已经有安排", format!("有 {count} {what}，{then}，再修改。"))
            }
            Self::SeparatedPowers => (
                S::CONFLICT,
                "separated-powers",
                "三员分立",
                "系统、安全、审计三种管理员必须由不同的人担任，请换一个人。".into(),
            ),
            Self::VersionNeeded => (
                S::PRECONDITION_REQUIRED,
                "version-needed",
                "缺少 If-Match",
                "请带上最近一次读到的 ETag 再修改。".into(),
            ),
            Self::OtherVersion => {
                (S::PRECONDITION_FAILED, "other-version", "内容已被别人修改", "请重新读取最新内容后再修改。".into())
            }
            Self::KeyReused => (
                S::UNPROCESSABLE_ENTITY,
                "key-reused",
                "Idempotency-Key 已用于另一个请求",
                "请为新的请求换一个新的键。".into(),
            ),
            Self::SetUpNeeded => (
                S::FORBIDDEN,
                "set-up-needed",
                "还要先设置密码或动态码",
                "请先设置密码，再绑定动态码，然后重新登录。".into(),
            ),
            Self::SignInRefused => (
                S::UNAUTHORIZED,
                "sign-in-refused",
                "登录失败",
                "登录名、密码或动态码不对，或者账号暂时锁定。连续错 5 次会锁定 15 分钟；忘记密码请找管理员。".into(),
            ),
            Self::PlainHttp => (
                S::FORBIDDEN,
                "plain-http",
                "连接没有加密",
                "管理员和巡课账号请用 https:// 开头的地址登录；这次输入的密码可能已被看到，请登录后修改。".into(),
            ),
            Self::AlreadySetUp => (S::CONFLICT, "already-set-up", "已经初始化过了", "请直接登录。".into()),
            Self::Clashes(clashes) => {
                let titles: BTreeSet<&str> =
                    clashes.iter().map(|clash| clash.with_title.as_str()).filter(|title| !title.is_empty()).collect();
                let titles = titles.into_iter().take(5).collect::<Vec<_>>().join("、");
                let with = if titles.is_empty() { "别的课节".to_owned() } else { format!("《{titles}》") };
                let detail = format!("教师、教室、班级或设备在这个时间已经有课：{with}。请换一节，或先调开那节课。");
                (S::CONFLICT, "double-booked", "时间冲突", detail)
            }
            Self::ReceiverLimit(limit) => {
                let kind = if limit.interactive { "互动" } else { "只看" };
                let watch = if limit.may_watch { "，多出的可以改为只看" } else { "" };
                let detail = format!("{kind}接收教室最多 {} 个，这次有 {} 个{watch}。", limit.max, limit.asked);
                (S::CONFLICT, "receiver-limit", "接收教室太多", detail)
            }
            Self::Busy => (S::SERVICE_UNAVAILABLE, "busy", "系统正忙", "请过几秒再试。".into()),
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method-not-allowed", "不支持这种请求", "请换一种请求方法。".into())
            }
            Self::WrongState(WrongState(state)) => {
                let detail = match state {
                    LessonState::Scheduled => "课还没有开放，开课前 10 分钟再来。",
                    LessonState::Open => "课还没有开始，请等主讲教师开始上课。",
                    LessonState::Live => "课正在进行。",
                    LessonState::Ended | LessonState::Archived => "课已经结束，可以看回放。",
                    LessonState::Cancelled => "这节课已经停课，请看课表里的原因。",
                    LessonState::Missed => "这节课没有开成，请联系排课老师补课。",
                };
                (S::CONFLICT, "wrong-lesson-state", "现在不能这样做", detail.into())
            }
            Self::StorageState(state) => {
                let detail = match state {
                    StorageState::Live => "课还在上，录像还没有完成，请下课以后再来。",
                    StorageState::Sealed | StorageState::Archived => "录像没有在等待删除，不用恢复。",
                    StorageState::Pending => "录像已经在等待删除，七天之内可以恢复。",
                    StorageState::Deleting | StorageState::Deleted => "录像已经删除，不能再恢复。",
                };
                (S::CONFLICT, "wrong-storage-state", "现在不能这样做", detail.into())
            }
            Self::Held => {
                (S::CONFLICT, "recording-held", "录像被保留", "有人要求保留这份录像，请先解除保留，再删除。".into())
            }
            Self::RecordingDeleted(gone) => {
                (S::GONE, "recording-deleted", "录像已经删除", format!("这节课的录像{}", gone_words(gone)))
            }
            Self::ReportDeleted(gone) => {
                (S::GONE, "report-deleted", "课堂报告已经删除", format!("这节课的考勤和课堂报告{}", gone_words(gone)))
            }
            Self::UnsupportedMediaType(expected) => {
                (S::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "内容类型不对", format!("请用 {expected} 发送。"))
            }
            Self::TooLarge(limit) => (S::PAYLOAD_TOO_LARGE, "too-large", "内容太大", format!("最多 {limit} 字节。")),
            Self::TooSlow => (S::REQUEST_TIMEOUT, "too-slow", "请求太慢", "请检查网络后再试。".into()),
            Self::BadRequest(why) => {
                (S::BAD_REQUEST, "bad-request", "请求读不懂", format!("请检查请求的内容（{why}）。"))
            }
            Self::Offer(error) => offer_words(error),
            Self::Patch(PatchError::Gone) => (S::NOT_FOUND, "session-gone", "连接已经结束", "请重新连接。".into()),
            Self::Patch(PatchError::BadFragment(why)) => {
                (S::BAD_REQUEST, "bad-sdp-fragment", "SDP 片段读不懂", format!("请检查片段（{why}）。"))
            }
            Self::PreconditionRequired => (
                S::PRECONDITION_REQUIRED,
                "if-match-required",
                "缺少 If-Match",
                "请带上 If-Match：候选用最近的 ETag，重启 ICE 用 \"*\"。".into(),
            ),
            Self::PreconditionFailed => {
                (S::PRECONDITION_FAILED, "etag-differs", "ICE 会话已经换了", "请用最近一次回答里的 ETag。".into())
            }
            Self::GuestsFull => {
                (S::SERVICE_UNAVAILABLE, "guests-full", "来宾席位已满", "请过一会儿再来，或者课后看回放。".into())
            }
            Self::TooManyRequests { .. } => {
                (S::TOO_MANY_REQUESTS, "too-many-attempts", "试得太频繁", "请过一分钟再试。".into())
            }
            Self::TooManyAtOnce(TooManyAtOnce { max }) => (
                S::TOO_MANY_REQUESTS,
                "too-many-at-once",
                "同时下载太多",
                format!("最多同时进行 {max} 个，请等其中一个完成后再试。"),
            ),
            Self::Composite(refused) => {
                let (kind, detail) = match refused {
                    CompositeRefused::NoFfmpeg(_) => {
                        ("no-ffmpeg", "这台服务器没有安装 ffmpeg。请管理员安装后再试；原始画面可以直接下载。")
                    }
                    CompositeRefused::Busy(_) => ("composite-busy", "正在合成另一节课，请等它完成后再试。"),
                    CompositeRefused::NotTwoPictures => {
                        ("not-two-pictures", "要有一路板书和一路摄像头才能合成。请直接下载这节课的画面。")
                    }
                    CompositeRefused::Ready | CompositeRefused::Disk(_) => {
                        ("composite-refused", "磁盘写不进去，请管理员检查空间后再试。")
                    }
                };
                (S::CONFLICT, kind, "现在不能合成一个画面", detail.into())
            }
            Self::SecretInUrl => (
                S::BAD_REQUEST,
                "secret-in-url",
                "地址里不能带令牌",
                "令牌和会话会留在日志和浏览记录里。请去掉它，登录后直接打开。".into(),
            ),
            Self::RangeNotSatisfiable { .. } => {
                (S::RANGE_NOT_SATISFIABLE, "range-not-satisfiable", "超出了文件范围", "请检查 Range。".into())
            }
            Self::Internal(_) => {
                (S::INTERNAL_SERVER_ERROR, "internal", "系统出了故障", "请稍后再试，故障已经记录。".into())
            }
        }
    }
}

fn gone_words(gone: &GoneView) -> String {
    let rule = match gone.rule {
        DeletionRule::Retention => "保存期限",
        DeletionRule::Request => "申请",
    };
    match gone.on {
        Some(on) => format!("已按{rule}于 {} 年 {} 月 {} 日删除，审计里有记录。", on.year(), on.month(), on.day()),
        None => format!("正在按{rule}删除，不能再看。"),
    }
}

fn rights_words(why: &RightsError) -> &'static str {
    match why {
        RightsError::OnlyTheAuthor => "只有主讲教师本人可以同意或撤回公开。",
        RightsError::OnlyTheKeeper => "只有学校管理员可以发布，请联系学校管理员。",
        RightsError::NoConsent => "主讲教师还没有同意公开，请先请教师本人在录像库里同意。",
        RightsError::WrongStanding(_) => "录像已经下架，请先恢复上架。",
        RightsError::OtherSide(Side::Author) => "这是主讲教师本人下架的，只能由教师本人恢复。",
        RightsError::OtherSide(Side::Keeper) => "这是学校下架的，请联系学校管理员恢复。",
    }
}

fn offer_words(error: &OfferError) -> (StatusCode, &'static str, &'static str, String) {
    use StatusCode as S;
    match error {
        OfferError::BadSdp(why) => (S::BAD_REQUEST, "bad-sdp", "SDP 读不懂", format!("请检查发来的 SDP（{why}）。")),
        OfferError::MediaMismatch(why) => {
            (S::BAD_REQUEST, "media-mismatch", "SDP 里的媒体不合适", format!("请检查 m 行的数目和方向（{why}）。"))
        }
        OfferError::UnsupportedCodec { kind, wanted } => {
            let wanted: Vec<_> = wanted.iter().map(|codec| codec.encoding_name()).collect();
            let what = match kind {
                TrackKind::Voice | TrackKind::StageVoice | TrackKind::MixedVoice => "声音",
                TrackKind::Board => "板书画面",
                TrackKind::Camera | TrackKind::Stage => "摄像头画面",
            };
            (
                S::NOT_ACCEPTABLE,
                "unsupported-codec",
                "这台设备的编码不合适",
                format!(
                    "{what}需要 {}。请换用新版 Chromium 浏览器，或在推流软件里改用 H.264 和 Opus。",
                    wanted.join("、")
                ),
            )
        }
        OfferError::NoRoom => (S::CONFLICT, "wrong-lesson-state", "现在不能这样做", "课没有开放。".into()),
        OfferError::Full { .. } => {
            (S::SERVICE_UNAVAILABLE, "hub-full", "现在的连接太多", "请过一会儿再连接，系统会自动重试。".into())
        }
    }
}
