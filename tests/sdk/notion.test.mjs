// Notion's own client against the sandbox.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  APIErrorCode, Client, ClientErrorCode, collectAllDataSourceRows, collectPaginatedAPI,
  extractPageId, isFullBlock, isFullDatabase, isFullDataSource, isFullPage,
  isFullPageOrDataSource, isFullUser, isHTTPResponseError, isNotionClientError,
  iteratePaginatedAPI,
} from "@notionhq/client";

import { app, approve, dial, url } from "./sandbox.mjs";

const credentials = { client_id: app.id, client_secret: app.secret };

/** A client that tells nothing and tries nothing again, unless asked to. */
function client(more = {}) {
  const notionVersion = "2026-03-11";
  return new Client({ baseUrl: url, notionVersion, retry: false, logger: () => {}, ...more });
}

/** What the token endpoint gives for an account. */
async function connect(account) {
  const query = new URLSearchParams({
    client_id: app.id, redirect_uri: app.redirectUri, response_type: "code", owner: "user",
  });
  const code = await approve(`${url}/v1/oauth/authorize?${query}`, account);
  return client().oauth.token({
    ...credentials, grant_type: "authorization_code", code, redirect_uri: app.redirectUri,
  });
}

/** A client that is let in to an account. */
async function connected(account, more = {}) {
  const { access_token: auth } = await connect(account);
  return client({ auth, ...more });
}

function refresh(token) {
  return client().oauth.token({
    ...credentials, grant_type: "refresh_token", refresh_token: token,
  });
}

/** Everything that search gives of one kind. */
function search(notion, value) {
  return collectPaginatedAPI(notion.search, { filter: { property: "object", value } });
}

function distinct(things) {
  return new Set(things.map((thing) => thing.id)).size;
}

/** An error of the client's with a status and a code. */
function failure(status, code) {
  return (error) => {
    assert.ok(isNotionClientError(error) && isHTTPResponseError(error), error);
    assert.deepEqual([error.status, error.code], [status, code]);
    return true;
  };
}

test("a code becomes tokens, and a refresh brings two others and ends the old one", async () => {
  const first = await connect("small");
  assert.equal(first.workspace_name, "Small Office");
  const second = await refresh(first.refresh_token);
  assert.notEqual(second.access_token, first.access_token);
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.equal(second.bot_id, first.bot_id);
  await assert.rejects(refresh(first.refresh_token), (error) => {
    assert.equal(JSON.parse(error.body).error, "invalid_grant");
    return failure(400, ClientErrorCode.ResponseError)(error);
  });
});

test("a stranger's credentials are refused", async () => {
  const asked = { ...credentials, client_secret: "guess", token: "ntn_0" };
  await assert.rejects(client().oauth.introspect(asked), (error) => {
    assert.equal(JSON.parse(error.body).error, "invalid_client");
    return failure(401, ClientErrorCode.ResponseError)(error);
  });
});

test("introspection knows a good token from one that was revoked", async () => {
  const { access_token: token } = await connect("small");
  const good = await client().oauth.introspect({ ...credentials, token });
  assert.equal(good.active, true);
  await client().oauth.revoke({ ...credentials, token });
  const revoked = await client().oauth.introspect({ ...credentials, token });
  assert.equal(revoked.active, false);
  await assert.rejects(client({ auth: token }).users.me({}), failure(401, APIErrorCode.Unauthorized));
});

test("a token says whose it is", async () => {
  const me = await (await connected("10k")).users.me({});
  assert.ok(isFullUser(me));
  assert.equal(me.bot.workspace_name, "Harbour & Söhne");
  assert.equal(me.bot.owner.user.person.email, "tomas@harbour.example");
});

test("search is read to its end", async () => {
  const notion = await connected("small");
  const pages = await search(notion, "page");
  assert.equal(pages.length, 120 - 4);
  assert.equal(distinct(pages), pages.length);
  assert.equal(pages.filter(isFullPage).length, pages.length - 1);
  const sources = await search(notion, "data_source");
  assert.equal(sources.length, 7);
  assert.equal(sources.filter(isFullPageOrDataSource).length, 6);
});

test("search of a large account ends at ten thousand and says so", async () => {
  const notion = await connected("100k");
  const filter = { property: "object", value: "page" };
  let [count, last] = [0, {}];
  do {
    last = await notion.search({ filter, start_cursor: last.next_cursor });
    count += last.results.length;
  } while (last.has_more);
  assert.equal(count, 10_000);
  assert.equal(last.request_status.incomplete_reason, "query_result_limit_reached");
});

test("every row is found, also past the end of one query", async () => {
  const notion = await connected("100k");
  const sources = (await search(notion, "data_source")).filter(isFullDataSource);
  const { id } = sources.find((source) => source.title[0]?.plain_text === "Tasks");
  const asked = { data_source_id: id, filter_properties: ["title"] };
  const capped = await collectPaginatedAPI(notion.dataSources.query, asked);
  assert.equal(capped.length, 10_000);
  const rows = await collectAllDataSourceRows(notion, asked);
  assert.equal(rows.length, 10_250);
  assert.deepEqual(Object.keys(rows[0].properties), ["Task"]);
});

test("each data source of the small account is read to its end", async () => {
  const notion = await connected("small");
  let rows = 0;
  for (const { id } of await search(notion, "data_source")) {
    const asked = { data_source_id: id, page_size: 5 };
    const found = await collectPaginatedAPI(notion.dataSources.query, asked);
    rows += found.filter((row) => row.object === "page").length;
  }
  assert.equal(rows, 72);
});

test("a walk through the blocks meets pages, databases and toggles", async () => {
  const notion = await connected("small");
  const kinds = new Set();
  async function walk(block_id) {
    for await (const block of iteratePaginatedAPI(notion.blocks.children.list, { block_id })) {
      assert.ok(isFullBlock(block));
      kinds.add(block.type);
      if (block.has_children && block.type !== "child_database") await walk(block.id);
    }
  }
  const pages = (await search(notion, "page")).filter(isFullPage);
  const roots = pages.filter((page) => page.parent.type === "workspace");
  assert.equal(roots.length, 4);
  for (const root of roots) await walk(root.id);
  const met = ["child_database", "child_page", "column", "column_list", "toggle", "unsupported"];
  assert.deepEqual(met.filter((kind) => !kinds.has(kind)), []);
});

test("each thing is retrieved by its id", async () => {
  const notion = await connected("small");
  const [page] = (await search(notion, "page")).filter(isFullPage);
  const again = await notion.pages.retrieve({ page_id: extractPageId(page.url) });
  assert.ok(isFullPage(again));
  assert.equal(again.id, page.id);
  const sources = (await search(notion, "data_source")).filter(isFullDataSource);
  const source = await notion.dataSources.retrieve({ data_source_id: sources[0].id });
  assert.deepEqual(source.title, sources[0].title);
  const { database_id } = sources.find(({ parent }) => parent.type === "database_id").parent;
  const database = await notion.databases.retrieve({ database_id });
  assert.ok(isFullDatabase(database));
  assert.ok(database.data_sources.length > 0);
  const block = await notion.blocks.retrieve({ block_id: page.id });
  assert.equal(block.type, "child_page");
});

test("every refusal is one of the client's errors", async () => {
  const notion = await connected("small");
  const page_id = "00000000-0000-4000-8000-000000000000";
  await assert.rejects(
    notion.pages.retrieve({ page_id }), failure(404, APIErrorCode.ObjectNotFound));
  await assert.rejects(
    notion.pages.retrieve({ page_id: "nowhere" }), failure(400, APIErrorCode.ValidationError));
  await assert.rejects(
    notion.search({ start_cursor: "stale" }), failure(400, APIErrorCode.ValidationError));
  await assert.rejects(
    notion.users.list({}), failure(403, APIErrorCode.RestrictedResource));
  await assert.rejects(
    notion.request({ path: "unicorns", method: "get" }),
    failure(400, APIErrorCode.InvalidRequestURL));
  await assert.rejects(
    client({ auth: "ntn_0" }).search({}), failure(401, APIErrorCode.Unauthorized));
});

test("an expired token is a 401, and the refreshed one is good", async () => {
  const tokens = await connect("empty");
  assert.equal(tokens.refresh_token, null);
  const newer = await connect("faults");
  await dial("notion", "faults", "expire");
  const notion = client({ auth: newer.access_token });
  await assert.rejects(notion.users.me({}), failure(401, APIErrorCode.Unauthorized));
  const { access_token: auth } = await refresh(newer.refresh_token);
  const me = await client({ auth }).users.me({});
  assert.equal(me.bot.workspace_name, "Rough Seas");
});

test("the client waits as long as a refusal says and then goes on", async () => {
  const patient = await connected("10k", { retry: { maxRetries: 1 } });
  await dial("notion", "10k", "too-many", { number: "1", unit: "requests" });
  const page = await patient.search({ page_size: 1 });
  assert.equal(page.results.length, 1);
  const hasty = await connected("10k");
  await dial("notion", "10k", "too-many", { number: "1", unit: "requests" });
  await assert.rejects(hasty.search({}), failure(429, APIErrorCode.RateLimited));
});

test("what the dial adds is found, and what it deletes is not", async () => {
  const notion = await connected("10k");
  const added = () => collectPaginatedAPI(notion.search, { query: "new page" });
  assert.equal((await added()).length, 0);
  await dial("notion", "10k", "add", { number: "2", kind: "pages" });
  assert.equal((await added()).length, 2);
  const before = await search(notion, "page");
  await dial("notion", "10k", "delete", { number: "10", kind: "pages" });
  assert.equal((await search(notion, "page")).length, before.length - 10);
});
