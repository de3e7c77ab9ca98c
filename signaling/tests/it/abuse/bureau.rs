//! A hub that was set up as a bureau does it, with people who sign in by name, password and code.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use school::{account::totp, organisation::Role};
use serde_json::{Value, json};

use crate::fixtures::school::{Answer, School};

pub const PASSWORD: &str = "Shan-Lu-2026x";

/// Somebody who can sign in by name.
pub struct Account {
    pub person_id: String,
    secret: Option<Vec<u8>>,
}

impl School {
    /// Adds a person, gives the role, sends the link, sets the password, binds the phone where one is needed.
    pub async fn account(&self, name: &str, role: Role) -> Account {
        let (system, security) =
            (self.as_a(Role::SystemAdministrator).await, self.as_a(Role::SecurityAdministrator).await);
        let (_, county) = self.somebody("旁人", Role::Operator).await;
        let body = json!({"organisation_id": county, "name": name, "sign_in_name": name}).to_string();
        let added = self.post("/api/v1/people", &system, &body).await;
        assert_eq!(added.status, 201, "{}", added.text);
        let person_id = added.json()["person_id"].as_str().unwrap().to_owned();
        let body = json!({"role": role, "organisation_id": county}).to_string();
        let given = self.post(&format!("/api/v1/people/{person_id}/roles"), &security, &body).await;
        assert_eq!(given.status, 201, "{}", given.text);
        let mut account = Account { person_id, secret: None };
        let link = self.set_up_link(&account, &security).await;
        let newcomer = self.sign_in(&link).await;
        let answer = self.put("/api/v1/me/password", &newcomer, &json!({"new": PASSWORD})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        if role.needs_second_factor() {
            assert_eq!(answer.json()["complete"], false);
            let refused = self.get("/api/v1/organisations", &newcomer).await;
            assert_eq!(refused.problem(), (403, "set-up-needed".into()));
            let shown = self.post("/api/v1/me/second-factor", &newcomer, "{}").await.json();
            let secret = unbase32(shown["secret"].as_str().unwrap());
            account.secret = Some(secret);
            let code = json!({"code": account.code(self)});
            let answer = self.put("/api/v1/me/second-factor", &newcomer, &code).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["complete"]), (200, &true.into()));
        }
        self.clock.turn(std::time::Duration::from_secs(30)); // The next code.
        account
    }

    pub async fn set_up_link(&self, account: &Account, security: &str) -> String {
        let path = format!("/api/v1/people/{}/set-up-links", account.person_id);
        let answer = self.post(&path, security, "{}").await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["link"].as_str().unwrap().to_owned()
    }

    pub async fn put(&self, path: &str, cookie: &str, body: &Value) -> Answer {
        self.method_with("PUT", path, cookie, "", &body.to_string()).await
    }

    pub async fn method_with(&self, method: &str, path: &str, cookie: &str, tag: &str, body: &str) -> Answer {
        let request = axum::http::Request::builder()
            .method(method)
            .uri(path)
            .header("cookie", cookie)
            .header("content-type", "application/json")
            .header("if-match", tag)
            .body(axum::body::Body::from(body.to_owned()));
        self.send(request.unwrap()).await
    }

    pub async fn by_password(&self, name: &str, password: &str, code: Option<&str>) -> Answer {
        let body = json!({"sign_in_name": name, "password": password, "code": code}).to_string();
        self.post("/api/v1/sign-in", "", &body).await
    }

    /// Enrols a device in the first classroom of the sample; answers it and its key.
    pub async fn device(&self) -> (String, Ed25519KeyPair) {
        let key = Ed25519KeyPair::generate().unwrap();
        let public = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
        let body = json!({"algorithm": "ed25519", "public_key": public}).to_string();
        let shown = self.post("/api/v1/enrolments", "", &body).await.json();
        let path = format!("/api/v1/enrolments/{}", shown["enrolment_id"].as_str().unwrap());
        assert_eq!(self.get(&path, "").await.json()["device_id"], Value::Null);
        let lesson = self.app.registry.lesson(self.lesson_id()).unwrap();
        let body =
            json!({"code": shown["code"], "classroom_id": lesson.classrooms[0].classroom_id, "name": "讲台电脑"});
        let operator = self.as_a(Role::Operator).await;
        let kept = self.post("/api/v1/devices", &operator, &body.to_string()).await;
        assert_eq!(kept.status, 201, "{}", kept.text);
        assert_eq!(self.get(&path, "").await.json()["device_id"], kept.json()["device_id"]);
        // The code is used up.
        assert_eq!(self.post("/api/v1/devices", &operator, &body.to_string()).await.status, 404);
        (kept.json()["device_id"].as_str().unwrap().to_owned(), key)
    }

    pub async fn challenge(&self, device_id: &str) -> String {
        let body = json!({"device_id": device_id}).to_string();
        let answer = self.post("/api/v1/device-challenges", "", &body).await.json();
        answer["challenge"].as_str().unwrap().to_owned()
    }

    pub async fn by_device(&self, device_id: &str, challenge: &str, key: &Ed25519KeyPair) -> Answer {
        let signature = key.sign(format!("tongke-device-sign-in:{challenge}").as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.as_ref());
        let body = json!({"device_id": device_id, "challenge": challenge, "signature": signature});
        self.post("/api/v1/sign-in", "", &body.to_string()).await
    }
}

impl Account {
    /// What the phone shows now.
    pub fn code(&self, school: &School) -> String {
        totp::code(self.secret.as_deref().unwrap_or_default(), totp::step_at(school.clock.wall()))
    }
}

/// The cookie of an answer.
pub fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

fn unbase32(text: &str) -> Vec<u8> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes() {
        let value = if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' };
        held = (held << 5) | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    bytes
}
