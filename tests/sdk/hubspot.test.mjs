// HubSpot's own client against the sandbox.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Client } from "@hubspot/api-client";

import { app, approve, dial, url } from "./sandbox.mjs";

const REQUIRED = "oauth crm.objects.contacts.read";
const OPTIONAL = "crm.objects.companies.read crm.objects.deals.read";

/** A client that waits for nothing: how it keeps to limits is its own affair. */
function client(more = {}) {
  return new Client({ basePath: url, limiterOptions: { minTime: 0 }, ...more });
}

/** What the token endpoint gives for an account. */
async function connect(account) {
  const { oauth } = client();
  const consent = oauth.getAuthorizationUrl(app.id, app.redirectUri, REQUIRED, OPTIONAL);
  const code = await approve(consent, account);
  return oauth.tokensApi.create("authorization_code", code, app.redirectUri, app.id, app.secret);
}

function refresh(refreshToken) {
  const { tokensApi } = client().oauth;
  const nothing = undefined;
  return tokensApi.create("refresh_token", nothing, nothing, app.id, app.secret, refreshToken);
}

/** A client that is let in to an account. */
async function connected(account, more = {}) {
  const { accessToken } = await connect(account);
  return client({ accessToken, ...more });
}

/** What a call fails with: the client's own error, its body parsed. */
async function failure(call) {
  try {
    await call;
  } catch (error) {
    assert.equal(error.constructor.name, "ApiException");
    return error;
  }
  assert.fail("the call went well");
}

/** Every result of a search, page by page. */
async function searchAll(api, request) {
  const found = [];
  let after = 0;
  do {
    const page = await api.doSearch({ limit: 200, ...request, after });
    found.push(...page.results);
    after = page.paging?.next?.after;
  } while (after);
  return found;
}

function distinct(records) {
  return new Set(records.map((record) => record.id)).size;
}

test("a code becomes tokens", async () => {
  const tokens = await connect("small");
  assert.equal(tokens.tokenType, "bearer");
  assert.equal(tokens.expiresIn, 1800);
  const known = await client().oauth.accessTokensApi.get(tokens.accessToken);
  assert.equal(known.hubId, 48213377);
  assert.equal(known.user, "mara@smalloffice.example");
  assert.deepEqual(known.scopes, [...REQUIRED.split(" "), ...OPTIONAL.split(" ")]);
});

test("a refresh brings another access token for the same refresh token", async () => {
  const first = await connect("small");
  const second = await refresh(first.refreshToken);
  assert.notEqual(second.accessToken, first.accessToken);
  assert.equal(second.refreshToken, first.refreshToken);
});

test("a refresh token that was deleted is refused in the client's error class", async () => {
  const { refreshToken } = await connect("empty");
  await client().oauth.refreshTokensApi.archive(refreshToken);
  const error = await failure(refresh(refreshToken));
  assert.equal(error.code, 400);
  assert.equal(error.body.status, "BAD_REFRESH_TOKEN");
});

test("a code is not good twice", async () => {
  const { tokensApi } = client().oauth;
  const consent = client().oauth.getAuthorizationUrl(app.id, app.redirectUri, REQUIRED);
  const code = await approve(consent, "small");
  const exchange = () =>
    tokensApi.create("authorization_code", code, app.redirectUri, app.id, app.secret);
  await exchange();
  assert.equal((await failure(exchange())).body.status, "BAD_AUTH_CODE");
});

test("the account says who it is", async () => {
  const hubspot = await connected("10k");
  const answer = await hubspot.apiRequest({ path: "/account-info/v3/details" });
  const details = await answer.json();
  assert.equal(details.portalId, 146310442);
  assert.equal(details.uiDomain, "app-eu1.hubspot.com");
});

for (const [account, contacts, companies, deals] of [
  ["small", 120, 24, 12],
  ["10k", 10_000, 2_000, 1_000],
  ["empty", 0, 0, undefined],
]) {
  test(`the client reads all of ${account} to the end`, async () => {
    const { crm } = await connected(account);
    const all = await crm.contacts.getAll(100);
    assert.deepEqual([all.length, distinct(all)], [contacts, contacts]);
    assert.equal(distinct(await crm.companies.getAll(100)), companies);
    if (deals !== undefined) assert.equal(distinct(await crm.deals.getAll()), deals);
  });
}

test("times, properties and associations arrive as the client's types have them", async () => {
  const { crm } = await connected("small");
  const page = await crm.contacts.basicApi.getPage(
    100, undefined, ["email", "jobtitle"], undefined, ["companies"],
  );
  const [first] = page.results;
  assert.ok(first.updatedAt instanceof Date && !Number.isNaN(first.updatedAt.getTime()));
  assert.ok("email" in first.properties && "jobtitle" in first.properties);
  const types = first.associations.companies.results.map((link) => link.type);
  assert.deepEqual(types, ["contact_to_company", "contact_to_company_unlabeled"]);
  assert.ok(page.results.every((contact) => !Number.isNaN(contact.createdAt.getTime())));
});

test("archived records are another list", async () => {
  const { crm } = await connected("small");
  const archived = await crm.companies.getAll(
    undefined, undefined, undefined, undefined, undefined, true,
  );
  assert.equal(archived.length, 2);
  assert.ok(archived.every((company) => company.archived && company.archivedAt instanceof Date));
});

test("a batch gives what it finds and tells the rest apart", async () => {
  const { crm } = await connected("small");
  const { results } = await crm.deals.basicApi.getPage(3);
  const inputs = results.map(({ id }) => ({ id }));
  const ask = { inputs, properties: ["amount"], propertiesWithHistory: [] };
  const whole = await crm.deals.batchApi.read(ask);
  assert.deepEqual(whole.results.map(({ id }) => id), inputs.map(({ id }) => id));
  const partly = await crm.deals.batchApi.read({ ...ask, inputs: [...inputs, { id: "1" }] });
  assert.equal(partly.results.length, 3);
  assert.deepEqual(partly.errors[0].context.ids, ["1"]);
});

test("a search is paged to its end, in order", async () => {
  const { crm } = await connected("10k");
  const since = String(Date.parse("2026-01-01"));
  const found = await searchAll(crm.companies.searchApi, {
    filterGroups: [
      { filters: [{ propertyName: "hs_lastmodifieddate", operator: "GTE", value: since }] },
    ],
    sorts: ["hs_lastmodifieddate"],
    properties: ["name"],
  });
  const all = await crm.companies.getAll(100);
  const expected = all.filter((company) => company.updatedAt.getTime() >= Number(since));
  assert.equal(distinct(found), expected.length);
  const times = found.map((company) => company.updatedAt.getTime());
  assert.deepEqual(times, [...times].sort((one, other) => one - other));
});

test("a search ends with an error at ten thousand results", async () => {
  const { crm } = await connected("100k");
  const call = crm.contacts.searchApi.doSearch({ limit: 200, after: "10000" });
  const error = await failure(call);
  assert.equal(error.code, 400);
  assert.equal(error.body.category, "VALIDATION_ERROR");
});

test("associations are read in batches, and on past the first page", async () => {
  const { crm } = await connected("10k");
  const { results: contacts } = await crm.contacts.basicApi.getPage(10);
  const inputs = contacts.map(({ id }) => ({ id }));
  const { batchApi } = crm.associations.v4;
  const answer = await batchApi.getPage("contacts", "companies", { inputs });
  assert.equal(answer.results.length, 9);
  assert.equal(answer.errors[0].subCategory, "crm.associations.NO_ASSOCIATIONS_FOUND");
  const primary = answer.results[0].to[0].associationTypes.find(({ typeId }) => typeId === 1);
  assert.equal(primary.label, "Primary");

  const popular = answer.results.find((result) => result.paging);
  const input = { id: popular._from.id, after: popular.paging.next.after };
  const rest = await batchApi.getPage("contacts", "companies", { inputs: [input] });
  const ids = [...popular.to, ...rest.results[0].to].map(({ toObjectId }) => toObjectId);
  assert.equal(new Set(ids).size, 150);
});

test("the associations of one record are a list too", async () => {
  const { crm } = await connected("10k");
  const { results: deals } = await crm.deals.basicApi.getPage(1);
  const { basicApi } = crm.associations.v4;
  const { results } = await basicApi.getPage("deals", deals[0].id, "companies");
  assert.deepEqual(results[0].associationTypes.map(({ typeId }) => typeId), [5, 341]);
});

test("what is changed and added is found by its time, and what is deleted is gone", async () => {
  const { crm } = await connected("faults");
  const since = String(Date.now());
  await dial("hubspot", "faults", "add", { number: 2, kind: "deals" });
  await dial("hubspot", "faults", "change", { number: 3, kind: "deals" });
  await dial("hubspot", "faults", "delete", { number: 4, kind: "deals" });
  const filter = { propertyName: "hs_lastmodifieddate", operator: "GTE", value: since };
  const page = await crm.deals.searchApi.doSearch({ filterGroups: [{ filters: [filter] }] });
  // The first deal is among the changed ones, and lists what was merged into it.
  assert.equal(page.results.length, 5);
});

test("an expired token is a 401 with the time in it, and a refreshed one is good", async () => {
  const { accessToken, refreshToken } = await connect("empty");
  await dial("hubspot", "empty", "expire");
  const error = await failure(client({ accessToken }).crm.contacts.basicApi.getPage());
  assert.equal(error.code, 401);
  assert.equal(error.body.category, "EXPIRED_AUTHENTICATION");
  const { accessToken: newer } = await refresh(refreshToken);
  const page = await client({ accessToken: newer }).crm.contacts.basicApi.getPage();
  assert.deepEqual(page.results, []);
});

test("a revoked grant is a 401, and its refresh token is worth nothing", async () => {
  const { accessToken, refreshToken } = await connect("empty");
  await dial("hubspot", "empty", "revoke");
  const error = await failure(client({ accessToken }).crm.contacts.basicApi.getPage());
  assert.equal(error.code, 401);
  assert.equal((await failure(refresh(refreshToken))).code, 400);
});

test("a scope that the account's plan lacks is a 403 that names it", async () => {
  const { crm } = await connected("empty");
  const error = await failure(crm.deals.basicApi.getPage());
  assert.equal(error.code, 403);
  const [{ context }] = error.body.errors;
  assert.deepEqual(context.requiredGranularScopes, ["crm.objects.deals.read"]);
});

test("a record nobody knows is a 404", async () => {
  const { crm } = await connected("small");
  const error = await failure(crm.companies.basicApi.getById("1"));
  assert.equal(error.code, 404);
  assert.equal(error.body.category, "OBJECT_NOT_FOUND");
});

test("too many requests are a 429 with the policy's name", async () => {
  const { crm } = await connected("empty");
  await dial("hubspot", "empty", "too-many", { number: 1 });
  const error = await failure(crm.contacts.basicApi.getPage());
  assert.equal(error.code, 429);
  assert.equal(error.body.policyName, "TEN_SECONDLY_ROLLING");
});

test("too many searches are a refusal that the client knows to wait a second for", async () => {
  const { crm } = await connected("empty", { numberOfApiCallRetries: 2 });
  await dial("hubspot", "empty", "too-many", { number: 1 });
  const page = await crm.contacts.searchApi.doSearch({});
  assert.equal(page.total, 0);
});

test("an answer that breaks off is an error, not half a list", async () => {
  const { crm } = await connected("10k");
  await dial("hubspot", "10k", "cut", { number: 1 });
  await assert.rejects(crm.contacts.basicApi.getPage(100));
  assert.equal((await crm.contacts.basicApi.getPage(100)).results.length, 100);
});
