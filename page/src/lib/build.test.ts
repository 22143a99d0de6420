import { expect, test } from "vitest";

import { newerBuild } from "./build";

function answering(value: unknown): typeof fetch {
  return () => Promise.resolve(new Response(JSON.stringify(value), { status: 503 }));
}

test("a page of the server's build is not outdated", async () => {
  expect(await newerBuild("abc", answering({ health: "down", page: "abc" }))).toBe("");
});

test("another build of the server is found, whatever the engine's health", async () => {
  expect(await newerBuild("abc", answering({ health: "down", page: "def" }))).toBe("def");
});

test.each([null, {}, { page: 7 }, { page: "" }])("%o has no other build", async (value) => {
  expect(await newerBuild("abc", answering(value))).toBe("");
});

test("a server that does not answer has no other build", async () => {
  expect(await newerBuild("abc", () => Promise.reject(new TypeError("away")))).toBe("");
});
