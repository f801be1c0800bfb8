// The keys that pods and callers need, minted once. The keyring (what pods accept) comes first, then the Secret that
// callers read: with it, or from it where a crash between the two left a key that nobody uses yet.
import { about, type Stage } from '../decision.ts';
import { inFlight } from '../snapshot.ts';

const { act, concede, fail, proceed, wait } = about('KeysCurrent');

export const credentials: Stage = seen => {
  const { keys } = seen;
  const foreign = keys.find(key => key.foreign)?.foreign;
  if (foreign?.isLeaving)
    return wait('Minting', `Secret ${foreign.name} of an earlier resource is being removed`, 2_000);
  if (foreign) return (inFlight(seen) ? concede : fail)('NotOwned', notOurs(foreign.name));
  const unminted = keys.find(({ keyringPresent }) => !keyringPresent);
  if (unminted) {
    return act('Minting', `Secret ${unminted.keyring} is being made`, { do: 'mintKeyring', keyring: unminted.keyring });
  }
  for (const { keyring, client, clientPresent } of keys) {
    if (client === undefined || clientPresent) continue;
    return act('Minting', `Secret ${client} is being made`, { do: 'publishKey', keyring, client });
  }
  return proceed('KeysMinted', `${keys.length} keyrings are there`);
};

const notOurs = (name: string): string =>
  `Secret ${name} exists and belongs to nobody that manages it: delete or rename it, or give this resource another name`;
