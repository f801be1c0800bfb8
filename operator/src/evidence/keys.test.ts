import { expect, test } from '@jest/globals';
import { keysOfPod } from './keys.ts';

const METRICS = `# TYPE devshelf_keyring_key_info gauge
devshelf_keyring_key_info{keyring="signing",kid="1",current="false"} 1
devshelf_keyring_key_info{keyring="signing",kid="2",current="true"} 1
devshelf_keyring_key_info{keyring="scrape",kid="7",current="true"} 1
`;

test('the ids of one keyring, and which is current', () => {
  expect(keysOfPod(METRICS, 'signing')).toEqual({ ids: ['1', '2'], current: '2' });
});

test('an image that does not say it is not taken for one that has no keys', () => {
  expect(keysOfPod('http_requests_total 1\n', 'signing')).toEqual({ why: expect.stringContaining('do not say') });
});
