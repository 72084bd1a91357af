import { expect, test } from "vitest";
import { Box, permitted, randomKey } from "../widget/storage";
import { shelf } from "./shelf";

test("what is kept is there on the next page", () => {
  const store = shelf();

  new Box(store, "k").update((saved) => {
    saved.session = "sess_1";
  });

  expect(new Box(store, "k").read().session).toBe("sess_1");
  expect(new Box(store, "other").read()).toEqual({});
});

test.each(["null", "7", "{broken", "", '"text"'])("rubbish in the store is as good as nothing: %s", (text) => {
  const store = shelf();
  store.setItem("k", text);

  expect(new Box(store, "k").read()).toEqual({});
});

test("where storage is forbidden this page goes on from memory", () => {
  const forbidden = permitted(() => {
    throw new DOMException("denied", "SecurityError");
  });
  const box = new Box(forbidden, "k");

  box.update((saved) => {
    saved.session = "sess_1";
  });

  expect(forbidden).toBeNull();
  expect(box.read().session).toBe("sess_1");
});

test("where storage is full nothing of this page is lost", () => {
  const full = {
    ...shelf(),
    setItem() {
      throw new DOMException("full", "QuotaExceededError");
    },
  };
  const box = new Box(full, "k");

  box.update((saved) => {
    saved.session = "sess_1";
  });

  expect(box.read().session).toBe("sess_1");
});

test("keys are long and never the same", () => {
  const keys = new Set(Array.from({ length: 100 }, randomKey));

  expect(keys.size).toBe(100);
  expect([...keys][0]).toMatch(/^\d+(-\d+){4}$/);
});
