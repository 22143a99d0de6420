import { describe, expect, test } from "vitest";
import { camelotOf, fits } from "./camelot";
import { has, hasName, nameToggled, quoted, sortedBy, sortOf, termsOf, toggled, withExample, wordsOf } from "./query";

describe("the words of a search", () => {
  test("are split at spaces outside quotes", () => {
    expect(termsOf('artist:"boards of"  roygbiv -genre:pop')).toEqual(['artist:"boards of"', "roygbiv", "-genre:pop"]);
    expect(termsOf('"open quote')).toEqual(['"open quote']);
    expect(termsOf("")).toEqual([]);
  });

  test("a chip comes, replaces its like, and goes", () => {
    const once = toggled("orbital bpm:90-100", "bpm:120-128");
    expect(once).toBe("orbital bpm:120-128");
    expect(has(once, "bpm:120-128")).toBe(true);
    expect(toggled(once, "bpm:120-128")).toBe("orbital");
    expect(withExample("orbital key:8A", "key:~8A")).toBe("orbital key:~8A");
  });

  test("a name comes after a comma, and goes", () => {
    expect(nameToggled("", "piano")).toBe("piano");
    expect(nameToggled("dark bpm:120-128", "female vocals")).toBe("dark, female vocals bpm:120-128");
    expect(nameToggled("alternative", "rock")).toBe("alternative, rock");
    expect(nameToggled("dark, piano, rock", "piano")).toBe("dark, rock");
    expect(nameToggled("Piano", "piano")).toBe("");
    expect(nameToggled("dark, piano stems:yes", "piano")).toBe("dark stems:yes");
    expect(hasName("dark, Female  Vocals sort:bpm", "female vocals")).toBe(true);
    expect(hasName("key:8A,9A piano", "piano")).toBe(true);
    expect(["no piano", "grand piano", '"piano"', "pianos"].some((words) => hasName(words, "piano"))).toBe(false);
    const twice = nameToggled(nameToggled("dark, key:8A,9A", "piano"), "piano");
    expect(twice).toBe("dark key:8A,9A");
  });

  test("have one order", () => {
    expect(sortOf("orbital -sort:bpm")).toBe("-bpm");
    expect(sortedBy("orbital sort:bpm", "-added")).toBe("orbital -sort:added");
    expect(sortedBy("orbital sort:bpm", "")).toBe("orbital");
    expect(wordsOf("recent", "house")).toBe("added:<7d house sort:added");
    expect(wordsOf("recent", "sort:bpm")).toBe("added:<7d sort:bpm");
    expect(wordsOf("recent", "dark house", true)).toBe("added:<7d dark house");
    expect(wordsOf("all", " house ")).toBe("house");
    expect(quoted("Friday night")).toBe('"Friday night"');
  });
});

describe("keys", () => {
  test("fit when they are the same, neighbours or relatives", () => {
    expect(["8A", "7A", "9A", "8B"].every((code) => fits("8A", code))).toBe(true);
    expect(["10A", "9B", null, "x"].some((code) => fits("8A", code))).toBe(false);
    expect(fits("12A", "1A")).toBe(true);
  });

  test("have their code", () => {
    expect(camelotOf("A minor")).toBe("8A");
    expect(camelotOf("C major")).toBe("8B");
    expect(camelotOf("F# minor +5")).toBe("11A");
    expect(camelotOf("G# minor")).toBe("1A");
    expect(camelotOf("")).toBe(null);
  });
});
