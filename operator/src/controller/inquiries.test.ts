import { expect, test } from '@jest/globals';
import { Inquiries } from './inquiries.ts';
import type { AppKey } from './world.ts';

const shop: AppKey = 'DashboardDeployment/prod/shop';
const other: AppKey = 'DashboardDeployment/prod/other';
const settled = () => new Promise(resolve => setImmediate(resolve));

/** Pods that answer when the test says so. */
class Pods {
  readonly woken: AppKey[] = [];
  readonly inquiries: Inquiries;
  readonly asked: {
    about: string;
    signal: AbortSignal;
    answer: (value: string) => void;
    fail: (why: Error) => void;
  }[] = [];

  constructor(atOnce?: number) {
    this.inquiries = new Inquiries(key => this.woken.push(key), atOnce);
  }

  /** One pass that asks for these; what it was answered. */
  pass(key: AppKey, questions: Readonly<Record<string, string>>, once = false) {
    const asking = this.inquiries.of(key);
    const answers = Object.entries(questions).map(([topic, about]) =>
      asking.ask({ topic, about, once, find: signal => this.#find(about, signal) }),
    );
    asking.end();
    return answers.map(answer => answer?.value);
  }

  #find(about: string, signal: AbortSignal): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.asked.push({ about, signal, answer: resolve, fail: reject });
    return promise;
  }
}

test('a pass does not wait: it goes on, and the answer wakes the resource', async () => {
  const pods = new Pods();
  expect(pods.pass(shop, { smoke: 'pod 1' })).toEqual([undefined]);
  expect(pods.pass(shop, { smoke: 'pod 1' })).toEqual([undefined]);
  expect(pods.asked).toHaveLength(1);
  pods.asked[0]?.answer('fine');
  await settled();
  expect(pods.woken).toEqual([shop]);
  expect(pods.pass(shop, { smoke: 'pod 1' })).toEqual(['fine']);
  expect(pods.pass(shop, { smoke: 'pod 1' })).toEqual(['fine']);
  expect(pods.asked).toHaveLength(1);
});

test('an answer that is good for one pass is asked for anew by the next', async () => {
  const pods = new Pods();
  pods.pass(shop, { proof: 'key 2' }, true);
  pods.asked[0]?.answer('refused');
  await settled();
  expect(pods.pass(shop, { proof: 'key 2' }, true)).toEqual(['refused']);
  expect(pods.pass(shop, { proof: 'key 2' }, true)).toEqual([undefined]);
  expect(pods.asked).toHaveLength(2);
});

test.each<[string, (pods: Pods) => void]>([
  ['another question is asked', pods => pods.pass(shop, { smoke: 'pod 2' })],
  ['a pass does not ask any more', pods => pods.pass(shop, {})],
  ['the resource is gone', pods => pods.inquiries.forget(shop)],
  ['the process ends', pods => pods.inquiries.stop()],
])('it is broken off when %s, and what it still answers reaches nobody', async (_case, change) => {
  const pods = new Pods();
  pods.pass(shop, { smoke: 'pod 1' });
  change(pods);
  expect(pods.asked[0]?.signal.aborted).toBe(true);
  pods.asked[0]?.answer('too late');
  await settled();
  expect(pods.woken).toEqual([]);
  expect(pods.pass(shop, { smoke: 'pod 1' })).toEqual([undefined]);
});

test('what could not be asked fails the next pass, and is asked anew by the one after it', async () => {
  const pods = new Pods();
  pods.pass(shop, { proof: 'key 2' });
  pods.asked[0]?.fail(new Error('the Secret cannot be read'));
  await settled();
  expect(pods.woken).toEqual([shop]);
  expect(() => pods.pass(shop, { proof: 'key 2' })).toThrow('the Secret cannot be read');
  pods.pass(shop, { proof: 'key 2' });
  expect(pods.asked).toHaveLength(2);
});

test('so many of a topic are under way at a time; the next begins when one ends, and other topics do not wait', async () => {
  const pods = new Pods(1);
  pods.pass(shop, { smoke: 'pod 1' });
  pods.pass(other, { smoke: 'pod 2', proof: 'key 2' });
  const third: AppKey = 'DashboardDeployment/prod/third';
  pods.pass(third, { smoke: 'pod 3' });
  expect(pods.asked.map(({ about }) => about)).toEqual(['pod 1', 'key 2']);
  pods.inquiries.forget(other); // it has waited, and does not any more
  pods.asked[0]?.answer('fine');
  await settled();
  expect(pods.asked.map(({ about }) => about)).toEqual(['pod 1', 'key 2', 'pod 3']);
});
