// The keys that pods and callers need, minted once. The keyring (what pods accept) comes first, then the
// Secret that callers read, made from it: a crash between the two leaves a key that nobody uses yet.
import { about, type Stage } from './decision.ts';

const { act, proceed } = about('KeysCurrent');

export const credentials: Stage = ({ keys }) => {
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
