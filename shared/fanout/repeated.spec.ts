import { expect, test } from '@jest/globals';
import type { Bus } from './bus.ts';
import { RepeatedNotices } from './repeated.ts';

function bus() {
  const sent: unknown[] = [];
  let gap = () => {};
  const notify = (topic: string, data: unknown) => sent.push([topic, data]);
  const onGap = (handler: () => void) => {
    gap = handler;
  };
  return { sent, gap: () => gap(), bus: { notify, onGap } as unknown as Bus };
}

test('after a gap the newest notices are sent again, in order', () => {
  const { sent, gap, bus: one } = bus();
  const notices = new RepeatedNotices(one, 'a');
  notices.notify(1);
  notices.notify(2);
  gap();
  expect(sent).toEqual([1, 2, 1, 2].map((data) => ['a', data]));
});

test('no more than 10,000 of them are kept', () => {
  const { sent, gap, bus: one } = bus();
  const notices = new RepeatedNotices(one, 'a');
  for (let n = 0; n < 25_000; n += 1) notices.notify(n);
  sent.length = 0;
  gap();
  expect(sent.length).toBeLessThanOrEqual(10_000);
  expect(sent.at(-1)).toEqual(['a', 24_999]);
});
