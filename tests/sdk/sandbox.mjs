// The sandbox that scripts/lib/sdk-tests has started, as its tests meet it: a person who approves,
// a hand on the dial, and what the app is registered with.

export const url = setting("SANDBOX_URL");
export const app = {
  id: setting("SANDBOX_CLIENT_ID"),
  secret: setting("SANDBOX_CLIENT_SECRET"),
  redirectUri: setting("SANDBOX_REDIRECT_URI"),
};

function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run scripts/lib/sdk-tests`);
  return value;
}

/**
 * Approves as the person of an account (`small`, `10k`, `100k`, `empty`, `faults`) and gives back
 * the code. Clients make the address for the real host; here its path and query count.
 */
export async function approve(authorizeUrl, account) {
  const { pathname, search } = new URL(authorizeUrl);
  const answer = await post(pathname + search, { account, decision: "approve" });
  const location = answer.headers.get("location");
  if (!location) throw new Error(`no way back (${answer.status}): ${await answer.text()}`);
  const code = new URL(location).searchParams.get("code");
  if (!code) throw new Error(`no code in ${location}`);
  return code;
}

/**
 * Turns the dial of a provider for an account: `turn` is `expire`, `revoke`, `too-many`,
 * `bad-gateway`, `cut`, `slow`, `index-delay`, `add`, `change`, `delete` or `calm`; `more` may hold
 * `number`, `unit` (`requests`, `seconds`) and `kind`.
 */
export async function dial(provider, account, turn, more = {}) {
  const answer = await post("/dial", { provider, account, turn, ...more });
  if (answer.status !== 303) throw new Error(`the dial: ${await answer.text()}`);
}

function post(path, fields) {
  const body = new URLSearchParams(fields);
  return fetch(url + path, { method: "POST", body, redirect: "manual" });
}
