// Airtable's own client against the sandbox. It has no helper for tokens: these are fetched plainly.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";

import Airtable from "airtable";

import { app, approve, dial, url } from "./sandbox.mjs";

const SCOPES = "data.records:read schema.bases:read user.email:read";

/** What the token endpoint answers, with its status. */
async function token(fields) {
  const basic = Buffer.from(`${app.id}:${app.secret}`).toString("base64");
  const answer = await fetch(`${url}/oauth2/v1/token`, {
    method: "POST",
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams(fields),
  });
  return { status: answer.status, ...(await answer.json()) };
}

/** The address of the consent page, and the verifier that belongs to it. */
function authorization() {
  const verifier = randomBytes(32).toString("base64url");
  const query = new URLSearchParams({
    client_id: app.id,
    redirect_uri: app.redirectUri,
    response_type: "code",
    scope: SCOPES,
    state: randomBytes(16).toString("hex"),
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  return { address: `https://airtable.com/oauth2/v1/authorize?${query}`, verifier };
}

/** The tokens for an account. */
async function connect(account) {
  const { address, verifier } = authorization();
  const code = await approve(address, account);
  return token({
    grant_type: "authorization_code",
    code,
    redirect_uri: app.redirectUri,
    code_verifier: verifier,
  });
}

function refresh(refreshToken) {
  return token({ grant_type: "refresh_token", refresh_token: refreshToken });
}

/** A client for whoever has this token. It waits minutes after a 429 unless it is told not to. */
function client(accessToken) {
  return new Airtable({ apiKey: accessToken, endpointUrl: url, noRetryIfRateLimited: true });
}

/** What the client is given and what it does not know: bases and their tables. */
async function meta(accessToken, path) {
  const answer = await fetch(`${url}/v0/meta/${path}`, {
    headers: { authorization: `Bearer ${accessToken}` },
  });
  assert.equal(answer.status, 200);
  return answer.json();
}

/** Every table of an account, as the client opens it, with its schema. */
async function tables(accessToken) {
  const airtable = client(accessToken);
  const found = [];
  let offset = "";
  do {
    const page = await meta(accessToken, `bases?offset=${encodeURIComponent(offset)}`);
    for (const base of page.bases) {
      const schemas = await meta(accessToken, `bases/${base.id}/tables`);
      for (const schema of schemas.tables) {
        found.push({ base, schema, table: airtable.base(base.id).table(schema.id) });
      }
    }
    offset = page.offset;
  } while (offset);
  return found;
}

/** The table of a name. */
async function tableOf(account, name) {
  const { access_token } = await connect(account);
  return (await tables(access_token)).find(({ schema }) => schema.name === name);
}

async function refusal(promise) {
  const error = await promise.then(() => assert.fail("it was answered"), (error) => error);
  assert.ok(error instanceof Airtable.Error, String(error));
  return error;
}

test("a code becomes tokens, and a refresh replaces both of them", async () => {
  const first = await connect("small");
  assert.equal(first.status, 200);
  assert.equal(first.token_type, "Bearer ");
  assert.equal(first.scope, SCOPES);
  assert.equal(first.expires_in, 3600);
  assert.equal(first.refresh_expires_in, 5_184_000);
  const second = await refresh(first.refresh_token);
  assert.equal(second.status, 200);
  assert.notEqual(second.refresh_token, first.refresh_token);
  const [{ base, schema }] = await tables(second.access_token);
  const late = client(first.access_token).base(base.id).table(schema.id);
  assert.equal((await refusal(late.select().all())).statusCode, 401);
  const replay = await refresh(first.refresh_token);
  assert.deepEqual([replay.status, replay.error], [400, "invalid_grant"]);
});

test("a code is spent by the first request, a wrong one too", async () => {
  const { address, verifier } = authorization();
  const code = await approve(address, "small");
  const fields = { grant_type: "authorization_code", code, redirect_uri: app.redirectUri };
  for (const code_verifier of ["x".repeat(43), verifier]) {
    const answer = await token({ ...fields, code_verifier });
    assert.deepEqual([answer.status, answer.error], [400, "invalid_grant"]);
  }
});

test("a second refresh a moment later is a conflict where the sandbox is rough", async () => {
  const { refresh_token } = await connect("faults");
  assert.equal((await refresh(refresh_token)).status, 200);
  assert.equal((await refresh(refresh_token)).status, 409);
});

for (const [account, bases, records] of [["small", 3, 120], ["10k", 7, 12_500], ["empty", 0, 0]]) {
  test(`every record of ${account} is read once, by name and by field id`, async () => {
    const { access_token } = await connect(account);
    const all = await tables(access_token);
    assert.equal(new Set(all.map(({ base }) => base.id)).size, bases);
    for (const returnFieldsByFieldId of [false, true]) {
      const seen = new Set();
      for (const { schema, table } of all) {
        const keys = new Set(schema.fields.map((field) => (returnFieldsByFieldId ? field.id : field.name)));
        for (const record of await table.select({ returnFieldsByFieldId }).all()) {
          // A copied base has the record ids of the original: only the table tells them apart.
          seen.add(`${schema.id}/${record.id}`);
          assert.ok(Object.keys(record.fields).every((key) => keys.has(key)));
        }
      }
      assert.equal(seen.size, records);
    }
  });
}

test("pages come one by one, with their fields, sorted, up to a number of records", async () => {
  const { table, schema } = await tableOf("10k", "Contacts");
  const sizes = [];
  let last = "";
  const options = {
    fields: ["Name"], sort: [{ field: "Name", direction: "asc" }], pageSize: 40, maxRecords: 100,
    returnFieldsByFieldId: true, recordMetadata: ["commentCount"],
  };
  await table.select(options).eachPage((records, next) => {
    sizes.push(records.length);
    for (const record of records) {
      const name = record.get(schema.primaryFieldId);
      assert.ok(Buffer.compare(Buffer.from(last), Buffer.from(name)) <= 0);
      assert.equal(typeof record.commentCount, "number");
      last = name;
    }
    next();
  });
  assert.deepEqual(sizes, [40, 40, 20]);
});

test("the primary cells of the odd table are what a record can be named by", async () => {
  const { table } = await tableOf("small", "Every kind of name");
  const cells = new Map();
  for (const record of await table.select().all()) {
    cells.set(record.get("What it is"), record.get("Name"));
  }
  assert.equal(cells.size, 50);
  assert.equal(cells.get("nothing"), undefined);
  assert.deepEqual(cells.get("a formula that failed"), { error: "#ERROR!" });
  assert.deepEqual(cells.get("not a number"), { specialValue: "NaN" });
  assert.equal(cells.get("a large number"), 1e21);
  assert.equal(cells.get("a long text").length, 100_000);
  assert.equal(cells.get("a text by AI that failed").state, "error");
});

test("a table opens by its name, and a record by its id", async () => {
  const { access_token } = await connect("10k");
  const name = "Q1/Q2 counts";
  const { base, schema } = (await tables(access_token)).find(({ schema }) => schema.name === name);
  const table = client(access_token).base(base.id)(name);
  const [first] = await table.select({ maxRecords: 1 }).firstPage();
  const found = await table.find(first.id);
  assert.deepEqual(found._rawJson, first._rawJson);
  assert.ok(schema.fields.some((field) => field.name in found.fields));
});

test("a filter finds what changed, and records by their ids, however many", async () => {
  const { table } = await tableOf("small", "Guests");
  const all = await table.select().all();
  const before = new Date(Date.now() - 60_000).toISOString();
  await dial("airtable", "small", "change", { number: 2 });
  const changed = `IS_AFTER(LAST_MODIFIED_TIME(),'${before}')`;
  assert.equal((await table.select({ filterByFormula: changed }).all()).length, 2);
  const ids = all.slice(0, 5).map((record) => record.id);
  // So long that the client posts it.
  const named = [...ids, ...Array(800).fill("rec00000000000000")].map((id) => `RECORD_ID()='${id}'`);
  const found = await table.select({ filterByFormula: `OR(${named.join(",")})` }).all();
  assert.deepEqual(found.map((record) => record.id), ids);
});

test("refusals are raised as the client's own errors", async () => {
  const { table } = await tableOf("small", "Guests");
  for (const [promise, statusCode, error] of [
    [table.select({ filterByFormula: "NONSENSE(" }).all(), 422, "INVALID_FILTER_BY_FORMULA"],
    [table.select({ fields: ["Nobody"] }).all(), 422, "UNKNOWN_FIELD_NAME"],
    [table.select({ pageSize: 101 }).all(), 422, "INVALID_REQUEST_UNKNOWN"],
    [table.find("rec00000000000000"), 404, "NOT_FOUND"],
    [table._base.table("Nobody").select().all(), 404, "NOT_FOUND"],
    [table._base.table("tbl00000000000000").select().all(), 403, "NOT_AUTHORIZED"],
  ]) {
    const refused = await refusal(promise);
    assert.deepEqual([refused.statusCode, refused.error], [statusCode, error]);
    assert.ok(refused.message);
  }
});

test("what the dial does is raised too", async () => {
  const { table } = await tableOf("100k", "Couriers");
  for (const [turn, statusCode, error] of [
    ["too-many", 429, "TOO_MANY_REQUESTS"],
    ["bad-gateway", 502, "UNEXPECTED_ERROR"],
    ["expire", 401, "AUTHENTICATION_REQUIRED"],
  ]) {
    await dial("airtable", "100k", turn, { number: 1 });
    const refused = await refusal(table.select({ maxRecords: 1 }).firstPage());
    assert.deepEqual([refused.statusCode, refused.error], [statusCode, error]);
  }
});

test("a month's calls are spent in one base of the rough account, and the others answer", async () => {
  const { table } = await tableOf("faults", "Spent");
  const refused = await refusal(table.select().all());
  assert.deepEqual([refused.statusCode, refused.error], [429, "TOO_MANY_REQUESTS"]);
  const crew = await tableOf("faults", "Crew");
  assert.equal((await crew.table.select({ maxRecords: 1 }).firstPage()).length, 1);
});
