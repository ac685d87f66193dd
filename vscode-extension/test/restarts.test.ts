import assert from "node:assert/strict";
import { test } from "node:test";
import { BackOff, Queue, within } from "../src/restarts";

test("work never runs twice at once, and requests that wait share it", async () => {
  let running = 0;
  let runs = 0;
  const queue = new Queue(async () => {
    running += 1;
    assert.equal(running, 1);
    await new Promise(setImmediate);
    running -= 1;
    runs += 1;
  });
  const first = queue.request();
  await Promise.resolve();
  await Promise.resolve();
  const others = [queue.request(), queue.request(), queue.request()];
  await Promise.all([first, ...others]);
  assert.equal(runs, 2);
});

test("a failure is its own request's, and the next one runs", async () => {
  let fail = true;
  const queue = new Queue(() => (fail ? Promise.reject(new Error("no")) : Promise.resolve()));
  await assert.rejects(queue.request(), /no/);
  fail = false;
  await queue.request();
});

test("nothing is waited for longer than allowed", async () => {
  assert.equal(await within(1_000, Promise.resolve(1)), 1);
  await assert.rejects(within(1, new Promise(() => undefined)), /no answer/);
  await assert.rejects(within(1_000, Promise.reject(new Error("no"))), /no$/);
});

test("crashes in a row are waited for longer, until it is given up; old ones are forgotten", () => {
  let now = 0;
  const backOff = new BackOff(() => now);
  const waits = [1, 2, 3, 4].map(() => backOff.crashed());
  assert.ok(waits.every((wait, index) => wait !== undefined && wait > (waits[index - 1] ?? 0)));
  assert.equal(backOff.crashed(), undefined);
  now = 200_000;
  assert.equal(backOff.crashed(), waits[0]);
  backOff.forget();
  assert.equal(backOff.crashed(), waits[0]);
});
