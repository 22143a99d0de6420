import { expect, test } from "vitest";
import { isAgentsKey } from "./shortcut";

test("only Ctrl+K and Cmd+K open the agents", () => {
  const keys = { key: "k", ctrlKey: false, metaKey: false, altKey: false, shiftKey: false };
  expect(isAgentsKey({ ...keys, ctrlKey: true })).toBe(true);
  expect(isAgentsKey({ ...keys, key: "K", metaKey: true })).toBe(true);
  expect(isAgentsKey(keys)).toBe(false);
  expect(isAgentsKey({ ...keys, ctrlKey: true, metaKey: true })).toBe(false);
  expect(isAgentsKey({ ...keys, ctrlKey: true, shiftKey: true })).toBe(false);
  expect(isAgentsKey({ ...keys, ctrlKey: true, key: "j" })).toBe(false);
});
