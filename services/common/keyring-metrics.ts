import { Counter, Gauge, type Registry } from 'prom-client';
import { type KeyringSource, usesOf } from './keyring.ts';

type Keyrings = Readonly<Record<string, Pick<KeyringSource, 'value'> | undefined>>;

/**
 * Says on /metrics which keys are in force, by id: `devshelf_keyring_key_info{keyring,kid,current} 1`. The operator
 * reads there that a new signing key has arrived before anything is signed with it. And how often each of them was
 * accepted, `devshelf_keyring_requests_total{keyring,kid}`, from 0 on: a key that is still used is not taken away.
 */
export function showKeyrings(registry: Registry, keyrings: Keyrings): void {
  showUses(registry, keyrings);
  new Gauge({
    name: 'devshelf_keyring_key_info',
    help: 'Keys in force, by id; current="true" is the one that is given out or signs',
    labelNames: ['keyring', 'kid', 'current'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [keyring, source] of Object.entries(keyrings)) {
        for (const kid of Object.keys(source?.value.keys ?? {})) {
          this.set({ keyring, kid, current: String(kid === source?.value.current) }, 1);
        }
      }
    },
  });
}

/** Counted where a key is looked up, as a request costs less so than with a counter of this registry; shown here. */
function showUses(registry: Registry, keyrings: Keyrings): void {
  new Counter({
    name: 'devshelf_keyring_requests_total',
    help: 'Requests that were let in with a key, by its id; tokens for a signing key',
    labelNames: ['keyring', 'kid'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [keyring, source] of Object.entries(keyrings)) {
        if (source === undefined) continue;
        for (const kid of Object.keys(source.value.keys)) this.inc({ keyring, kid }, usesOf(source, kid));
      }
    },
  });
}
