//! A Chromium of the test's own, driven as a person would use it: by what is to be seen and by what can be pressed.
//!
//! Everything waits for its condition and is bounded; what doesn't come true panics with the address and the text of the
//! page. `./scripts/test` says where Chromium and its driver are.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use super::visitor::Visitor;

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// Below this width the browser behaves as a phone's: it heeds the page's viewport and has no room for scroll bars.
const PHONE_WIDTH: u32 = 600;

const CHROMIUM_FLAGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox", // needs rights that containers and root do not have; the pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage", // /dev/shm is small in containers
];

/// How the page is looked at.
pub struct Look {
    pub scripts: bool,
    pub width: u32,
    pub height: u32,
    pub dark: bool,
}

impl Default for Look {
    fn default() -> Self {
        Look {
            scripts: true,
            width: 1440,
            height: 900,
            dark: false,
        }
    }
}

/// A key of the keyboard.
pub enum Key {
    Tab,
    Enter,
    Escape,
    Space,
    Down,
    Letter(char),
}

impl Key {
    /// As WebDriver names it: https://www.w3.org/TR/webdriver2/#keyboard-actions
    fn code(&self) -> char {
        match self {
            Key::Tab => '\u{e004}',
            Key::Enter => '\u{e007}',
            Key::Escape => '\u{e00c}',
            Key::Space => ' ',
            Key::Down => '\u{e015}',
            Key::Letter(letter) => *letter,
        }
    }
}

/// One Chromium with a profile of its own; it ends when this is dropped, also by a test that panics.
pub struct Browser {
    client: Client,
    scripts: bool,
    _driver: Driver,
}

impl Browser {
    pub async fn open(look: Look) -> Browser {
        let driver = Driver::start();
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(driver.capabilities(look.scripts))
            .connect(&format!("http://127.0.0.1:{}", driver.port))
            .await
            .expect("Chromium starts");
        let browser = Browser {
            client,
            scripts: look.scripts,
            _driver: driver,
        };
        browser.look(&look).await;
        browser
    }

    /// The size is set on the page: a window has a least width, and its own frame takes a part of it.
    pub async fn look(&self, look: &Look) {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({
                "width": look.width,
                "height": look.height,
                "deviceScaleFactor": 1,
                "mobile": look.width < PHONE_WIDTH,
            }),
        )
        .await;
        let scheme = if look.dark { "dark" } else { "light" };
        self.prefer("prefers-color-scheme", scheme).await;
    }

    /// Says what the person has set in their system, and nothing else.
    pub async fn prefer(&self, name: &str, value: &str) {
        let features = json!({ "features": [{ "name": name, "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// One key, down and up again, for whatever has the focus.
    pub async fn strike(&self, key: Key) {
        let value = key.code();
        let steps = KeyActions::new("keyboard".into())
            .then(KeyAction::Down { value })
            .then(KeyAction::Up { value });
        let done = self.client.perform_actions(steps).await;
        done.expect("a page is open");
    }

    pub async fn goto(&self, url: &str) {
        self.client
            .goto(url)
            .await
            .unwrap_or_else(|error| panic!("{url} does not open: {error}"));
    }

    /// Has every page from here on begin with this script, which no policy of the page's own forbids.
    pub async fn carry(&self, script: &str) {
        let source = json!({ "source": script });
        self.devtools("Page.addScriptToEvaluateOnNewDocument", source)
            .await;
    }

    /// From here on this is the visitor's browser, signed in as they are.
    pub async fn come_as(&self, who: &Visitor) {
        self.devtools("Network.clearBrowserCookies", json!({}))
            .await;
        let Some((name, value)) = who.cookie.as_deref().and_then(|it| it.split_once('=')) else {
            return;
        };
        let cookie = json!({ "name": name, "value": value, "url": who.app, "httpOnly": true });
        self.devtools("Network.setCookie", cookie).await;
    }

    /// From here on no answer comes from these addresses, with `*` for any letters.
    pub async fn cut_off(&self, addresses: &[&str]) {
        self.devtools("Network.enable", json!({})).await;
        let urls = json!({ "urls": addresses });
        self.devtools("Network.setBlockedURLs", urls).await;
    }

    /// What a script returns on the page.
    pub async fn ask<T: DeserializeOwned>(&self, script: &str) -> T {
        let found = self.client.execute(script, Vec::new()).await;
        let found = found.unwrap_or_else(|error| panic!("{script}: {error}"));
        serde_json::from_value(found).expect("what was asked for")
    }

    /// What a script hands to its last argument, sooner or later.
    pub async fn ask_later<T: DeserializeOwned>(&self, script: &str) -> T {
        let found = self.client.execute_async(script, Vec::new()).await;
        let found = found.unwrap_or_else(|error| panic!("{script}: {error}"));
        serde_json::from_value(found).expect("what was asked for")
    }

    pub async fn url(&self) -> Url {
        self.client.current_url().await.expect("a page is open")
    }

    /// The text as the page shows it. Not WebDriver's own notion of it, which leaves out `<noscript>`.
    pub async fn text(&self) -> String {
        self.try_text().await.expect("a page is open")
    }

    async fn try_text(&self) -> Result<String, CmdError> {
        let text = self
            .client
            .execute("return document.body.innerText", vec![])
            .await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the page shows this text.
    pub async fn see(&self, text: &str) {
        self.until(&format!("“{text}”"), async || {
            Ok(self.try_text().await?.contains(text).then_some(()))
        })
        .await;
    }

    /// Waits until an element that matches is shown, and returns its text.
    pub async fn see_at(&self, css: &str) -> String {
        self.until(css, async || {
            for element in self.client.find_all(Locator::Css(css)).await? {
                if element.is_displayed().await? {
                    return Ok(Some(element.text().await?));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Clicks the one button or link that shows this label.
    pub async fn press(&self, label: &str) {
        self.press_in("body", label).await;
    }

    /// Clicks the one button or link that shows this label within the elements that match, where a page has several.
    pub async fn press_in(&self, css: &str, label: &str) {
        let page = self.root().await;
        self.until(&format!("“{label}” to press in {css}"), async || {
            let mut found = self.pressable(css, label).await?;
            assert!(
                found.len() < 2,
                "{} buttons or links say “{label}” in {css}: use press_in",
                found.len()
            );
            match found.pop() {
                Some(element) => element.click().await.map(Some),
                None => Ok(None),
            }
        })
        .await;
        if !self.scripts {
            self.left(&page).await;
        }
    }

    async fn pressable(&self, css: &str, label: &str) -> Result<Vec<Element>, CmdError> {
        let candidates =
            format!(":is({css}) :is(button, input[type=submit], a[href]):not(:disabled)");
        let mut found = Vec::new();
        for element in self.client.find_all(Locator::Css(&candidates)).await? {
            let shown = match element.tag_name().await?.as_str() {
                "input" => element.prop("value").await?.unwrap_or_default(),
                _ => element.text().await?,
            };
            if shown.trim() == label && element.is_displayed().await? {
                found.push(element);
            }
        }
        Ok(found)
    }

    /// Without scripts, what is pressed leads to another page, and the driver does not wait for it by itself.
    async fn left(&self, page: &Element) {
        self.until("another page", async || match page.tag_name().await {
            Err(error) if error.is_stale_element_reference() => Ok(Some(())),
            other => other.map(|_| None),
        })
        .await;
    }

    async fn root(&self) -> Element {
        self.until("a page", async || {
            self.client.find(Locator::Css("html")).await.map(Some)
        })
        .await
    }

    /// Chooses a radio button, by its label where the button itself is hidden behind one.
    pub async fn choose(&self, name: &str, value: &str) {
        let css = format!("input[type=radio][name='{name}'][value='{value}']");
        self.until(&css, async || {
            let radio = self.client.find(Locator::Css(&css)).await?;
            if radio.is_displayed().await? {
                radio.click().await?;
            } else {
                let label = format!("label:has({css})");
                self.client
                    .find(Locator::Css(&label))
                    .await?
                    .click()
                    .await?;
            }
            Ok(radio.is_selected().await?.then_some(()))
        })
        .await;
    }

    /// Types into a field, in place of what it held.
    pub async fn fill(&self, name: &str, text: &str) {
        let css = format!(":is(input, textarea)[name='{name}']");
        self.until(&css, async || {
            let field = self.client.find(Locator::Css(&css)).await?;
            field.clear().await?;
            field.send_keys(text).await.map(Some)
        })
        .await;
    }

    /// Types on into a field, as it stands.
    pub async fn type_on(&self, name: &str, text: &str) {
        let css = format!(":is(input, textarea)[name='{name}']");
        self.until(&css, async || {
            let field = self.client.find(Locator::Css(&css)).await?;
            field.send_keys(text).await.map(Some)
        })
        .await;
    }

    /// What stands in a field.
    pub async fn value(&self, name: &str) -> String {
        let css = format!("[name='{name}']");
        self.until(&css, async || {
            let field = self.client.find(Locator::Css(&css)).await?;
            field.prop("value").await
        })
        .await
    }

    /// The name of the field that has the focus.
    pub async fn focused(&self) -> String {
        let name = self
            .client
            .execute("return document.activeElement.name ?? ''", Vec::new());
        let name = name.await.expect("a page is open");
        name.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks the element that matches, which has no text to know it by.
    pub async fn press_at(&self, css: &str) {
        let page = self.root().await;
        self.until(css, async || {
            self.client
                .find(Locator::Css(css))
                .await?
                .click()
                .await
                .map(Some)
        })
        .await;
        if !self.scripts {
            self.left(&page).await;
        }
    }

    pub async fn back(&self) {
        self.client.back().await.expect("a page before this one");
    }

    /// Waits until the address bar shows this path and query; empty parameters do not count.
    pub async fn see_address(&self, wanted: &str) {
        self.until(&format!("the address {wanted}"), async || {
            let url = self.client.current_url().await?;
            let given = url.query().unwrap_or("").split('&');
            let given: Vec<&str> = given
                .filter(|it| !it.ends_with('=') && *it != "sort=-modified" && !it.is_empty())
                .collect();
            let (path, query) = wanted.split_once('?').unwrap_or((wanted, ""));
            let mut wanted: Vec<&str> = query.split('&').filter(|it| !it.is_empty()).collect();
            let mut given = given;
            given.sort_unstable();
            wanted.sort_unstable();
            Ok((url.path() == path && given == wanted).then_some(()))
        })
        .await;
    }

    pub async fn count(&self, css: &str) -> usize {
        let found = self.client.find_all(Locator::Css(css)).await;
        found.expect("a page is open").len()
    }

    /// Opens the part of the page that shows this summary.
    pub async fn open_details(&self, summary: &str) {
        let path = format!("//summary[normalize-space()='{summary}']");
        let found = self.client.find(Locator::XPath(&path)).await;
        found.expect("the summary").click().await.expect("it opens");
    }

    /// Waits until exactly so many elements match.
    pub async fn see_count(&self, css: &str, wanted: usize) {
        self.until(&format!("{wanted} of {css}"), async || {
            let found = self.client.find_all(Locator::Css(css)).await?.len();
            Ok((found == wanted).then_some(()))
        })
        .await;
    }

    /// Leaves a mark on the page that another page, or the same one loaded again, does not have.
    pub async fn mark_page(&self) {
        let marked = self.client.execute("window.marked = true", vec![]).await;
        marked.expect("a page is open");
    }

    pub async fn is_marked(&self) -> bool {
        let marked = self.client.execute("return !!window.marked", vec![]);
        marked.await.expect("a page is open") == true
    }

    /// Waits until an element shows another text than this.
    pub async fn see_change(&self, css: &str, from: &str) -> String {
        self.until(&format!("{css} to change"), async || {
            let element = self.client.find(Locator::Css(css)).await?;
            let text = element.text().await?;
            Ok((text != from).then_some(text))
        })
        .await
    }

    /// The elements that stick out of the window at its right; a page that fits has none.
    pub async fn sticking_out(&self) -> Vec<String> {
        const SCRIPT: &str = "const {scrollWidth: wide, clientWidth: room} = document.documentElement;
            if (wide <= room) return [];
            return [...document.querySelectorAll('body *')]
                .filter(e => e.getBoundingClientRect().right > room)
                .map(e => `${e.tagName} ${e.className} ${Math.round(e.getBoundingClientRect().right)} of ${room}: ${e.textContent.slice(0, 40)}`)";
        let found = self
            .client
            .execute(SCRIPT, Vec::new())
            .await
            .expect("a page is open");
        serde_json::from_value(found).expect("a list of texts")
    }

    /// The whole page as a picture, into the folder `TEST_SCREENSHOTS` if that is set.
    pub async fn screenshot(&self, name: &str) {
        let Some(folder) = std::env::var_os("TEST_SCREENSHOTS") else {
            return;
        };
        let picture = self
            .devtools(
                "Page.captureScreenshot",
                json!({ "captureBeyondViewport": true }),
            )
            .await;
        let png = BASE64.decode(picture["data"].as_str().expect("a picture"));
        let file = Path::new(&folder).join(format!("{name}.png"));
        std::fs::create_dir_all(&folder).expect("TEST_SCREENSHOTS can be made");
        std::fs::write(file, png.expect("base64")).expect("TEST_SCREENSHOTS can be written");
    }

    /// What the browser complained of since the last call: failed scripts, missing files, what the policy forbade.
    pub async fn console_errors(&self) -> Vec<String> {
        let entries = self
            .client
            .issue_cmd(Raw("se/log", json!({ "type": "browser" })))
            .await
            .expect("the driver keeps a log");
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter(|entry| entry["level"] == "SEVERE")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let request = json!({ "cmd": command, "params": parameters });
        self.client
            .issue_cmd(Raw("goog/cdp/execute", request))
            .await
            .unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Asks again until there is an answer. An error counts as "not yet": pages change while they are read.
    async fn until<T>(
        &self,
        wanted: &str,
        check: impl AsyncFn() -> Result<Option<T>, CmdError>,
    ) -> T {
        let start = Instant::now();
        loop {
            let last = match check().await {
                Ok(Some(found)) => return found,
                Ok(None) => String::new(),
                Err(error) => format!("\nlast error: {error}"),
            };
            if start.elapsed() > PATIENCE {
                let (url, text) = (self.client.current_url().await, self.try_text().await);
                let url = url.map_or_else(|error| error.to_string(), String::from);
                let text = text.unwrap_or_else(|error| error.to_string());
                panic!("waited in vain for {wanted} at {url}{last}\n--- the page says:\n{text}");
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// chromedriver with its folder, in which Chromium keeps its profile.
struct Driver {
    process: Child,
    port: u16,
    home: TempDir,
}

impl Driver {
    fn start() -> Driver {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut process = Command::new(required("TEST_CHROMEDRIVER"))
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let port = stdout
            .lines()
            .map_while(Result::ok)
            .find_map(|line| port_in(&line));
        Driver {
            process,
            port: port.expect("chromedriver says its port"),
            home,
        }
    }

    fn capabilities(&self, scripts: bool) -> fantoccini::wd::Capabilities {
        let profile = format!("--user-data-dir={}", self.home.path().display());
        let mut flags = CHROMIUM_FLAGS.to_vec();
        flags.push(&profile);
        let capabilities = json!({
            "timeouts": { "pageLoad": PATIENCE.as_millis(), "script": PATIENCE.as_millis() },
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "binary": required("TEST_CHROMIUM"),
                "args": flags,
                // 1 allows, 2 blocks, as an administrator's setting.
                "prefs": { "profile.managed_default_content_settings.javascript": if scripts { 1 } else { 2 } },
            },
        });
        match capabilities {
            Value::Object(capabilities) => capabilities,
            _ => unreachable!("written as an object above"),
        }
    }

    /// chromedriver leaves its browsers behind when it is killed, and takes them along when it is asked this way.
    fn ask_to_end(&self) -> std::io::Result<()> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        connection
            .write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        connection.read(&mut [0; 1]).map(drop)
    }

    fn has_ended(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(Some(_)))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let asked = Instant::now();
        if self.ask_to_end().is_ok() {
            while !self.has_ended() && asked.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(POLL);
            }
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn port_in(line: &str) -> Option<u16> {
    let (_, port) = line.split_once("started successfully on port ")?;
    port.trim_end_matches('.').parse().ok()
}

pub fn required(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run ./scripts/test, or ./scripts/with-services COMMAND")
    })
}

/// A command of chromedriver's own: its path below the session, and its parameters.
#[derive(Debug)]
struct Raw(&'static str, Value);

impl WebDriverCompatibleCommand for Raw {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        let session = session.expect("a session is open");
        base.join(&format!("session/{session}/{}", self.0))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.1.to_string()))
    }
}
