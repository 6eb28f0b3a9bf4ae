// HubSpot's own client against the sandbox.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Client } from "@hubspot/api-client";

import { app, approve, dial, url } from "./sandbox.mjs";

const SCOPES = "oauth crm.objects.contacts.read";

/** A client that waits for nothing: the limits are not what is tried here. */
function client(more = {}) {
  return new Client({ basePath: url, limiterOptions: { minTime: 0 }, ...more });
}

/** What the token endpoint gives for an account. */
async function connect(account) {
  const hubspot = client();
  const authorizeUrl = hubspot.oauth.getAuthorizationUrl(app.id, app.redirectUri, SCOPES);
  const code = await approve(authorizeUrl, account);
  const tokens = hubspot.oauth.tokensApi;
  return tokens.create("authorization_code", code, app.redirectUri, app.id, app.secret);
}

/** A client that is let in to an account. */
async function connected(account) {
  const { accessToken } = await connect(account);
  return client({ accessToken });
}

test("a code becomes tokens, and a refresh brings another access token", async () => {
  const first = await connect("small");
  assert.equal(first.expiresIn, 1800);
  const tokens = client().oauth.tokensApi;
  const second = await tokens.create(
    "refresh_token", undefined, undefined, app.id, app.secret, first.refreshToken,
  );
  assert.notEqual(second.accessToken, first.accessToken);
  assert.equal(second.refreshToken, first.refreshToken);
});

test("contacts are read to the end", async () => {
  const hubspot = await connected("small");
  const contacts = await hubspot.crm.contacts.getAll(50);
  assert.equal(contacts.length, 120);
  assert.equal(new Set(contacts.map((contact) => contact.id)).size, 120);
});

test("an expired token is a 401 that the client raises", async () => {
  const hubspot = await connected("empty");
  await dial("hubspot", "empty", "expire");
  await assert.rejects(hubspot.crm.contacts.getAll(), { code: 401 });
});
