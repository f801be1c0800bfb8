import { Gauge, type Registry } from 'prom-client';
import type { KeyringSource } from './keyring.ts';

/**
 * Says on /metrics which keys are in force, by id: `devshelf_keyring_key_info{keyring,kid,current} 1`. The operator
 * reads there that a new signing key has arrived before anything is signed with it.
 */
export function showKeyrings(
  registry: Registry,
  keyrings: Readonly<Record<string, Pick<KeyringSource, 'value'> | undefined>>,
): void {
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
