import { expect, test } from '@jest/globals';
import { Discovery } from './discovery.ts';
import { ApiError } from './errors.ts';
import type { Resource } from './resource.ts';
import type { Request, Transport } from './transport.ts';

const kind = (apiVersion: string, plural: string): Resource => ({ apiVersion, kind: plural, plural, namespaced: true });
const [monitors, rules, scaled] = [
  kind('monitoring.example/v1', 'monitors'),
  kind('monitoring.example/v1', 'rules'),
  kind('scaling.example/v1', 'scaled'),
];

/** An API server that serves these, and what it was asked. */
function serving(...served: Resource[]) {
  const asked: string[] = [];
  let fault: ApiError | undefined;
  const answer = (path: string): object => {
    if (path !== '/apis')
      return {
        resources: served.filter(of => path === `/apis/${of.apiVersion}`).map(({ plural: name }) => ({ name })),
      };
    return { groups: served.map(({ apiVersion: groupVersion }) => ({ versions: [{ groupVersion }] })) };
  };
  const request = async ({ path }: Request) => {
    asked.push(path);
    if (fault) throw fault;
    return answer(path);
  };
  const discovery = new Discovery({ request } as unknown as Transport);
  return { discovery, asked, served, fails: (with_?: ApiError) => (fault = with_) };
}

test.each([
  ['no kind of the group', monitors, [], false, ['/apis']],
  ['another kind of the group', monitors, [rules], false, ['/apis', '/apis/monitoring.example/v1']],
  ['the kind', monitors, [monitors, rules], true, ['/apis', '/apis/monitoring.example/v1']],
  ['another version', kind('monitoring.example/v2', 'monitors'), [monitors], false, ['/apis']],
] as const)('the API server serves %s', async (_case, asks, served, is, asked) => {
  const api = serving(...served);
  expect(await api.discovery.serves(asks, 0)).toBe(is);
  expect(api.asked).toEqual(asked);
});

test('whoever asks at the same time, or is content with an answer so old, costs no request', async () => {
  const api = serving();
  const all = [monitors, rules, scaled, monitors];
  expect(await Promise.all(all.map(of => api.discovery.serves(of, 60_000)))).toEqual([false, false, false, false]);
  expect(await api.discovery.serves(scaled, 60_000)).toBe(false);
  expect(api.asked).toEqual(['/apis']);
});

test('who is content with nothing old hears of what has come', async () => {
  const api = serving();
  expect(await api.discovery.serves(scaled, 60_000)).toBe(false);
  api.served.push(scaled);
  expect(await api.discovery.serves(scaled, 60_000)).toBe(false);
  expect(await api.discovery.serves(scaled, 0)).toBe(true);
});

test('a question that failed is asked again', async () => {
  const api = serving(scaled);
  api.fails(new ApiError({ code: 'GetFailed', status: 503, reason: 'Unreachable', message: 'it starts' }));
  await expect(api.discovery.serves(scaled, 60_000)).rejects.toMatchObject({ status: 503 });
  api.fails();
  expect(await api.discovery.serves(scaled, 60_000)).toBe(true);
});
