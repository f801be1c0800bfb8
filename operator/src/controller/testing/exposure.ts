// What a resource says of the world that comes to it.
import { expect } from '@jest/globals';
import { type LiveApp, type Shop, until } from './shop.ts';

export interface Exposed {
  readonly status: string;
  readonly reason: string;
  /** In its message. */
  readonly words?: string;
  /** `status.publicURLs`. */
  readonly urls?: readonly string[] | undefined;
}

const PATIENCE_MS = 60_000;

/** Until the condition `Exposed` of the spec as it is says so. */
export async function exposedAs(shop: Shop, { status, reason, words = '', urls }: Exposed): Promise<LiveApp> {
  let app: LiveApp | undefined;
  const found = () => app?.status?.conditions?.find(({ type }) => type === 'Exposed');
  await until(
    async () => {
      app = await shop.app();
      const said = found();
      const isCurrent = said?.observedGeneration === app?.metadata.generation;
      return isCurrent && said?.status === status && said.reason === reason && said.message.includes(words);
    },
    async () => `Exposed is not ${status} ${reason} (${words}): ${JSON.stringify(found())}`,
    PATIENCE_MS,
  );
  expect(app?.status?.publicURLs).toEqual(urls);
  return app as LiveApp;
}
