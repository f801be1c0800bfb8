import { expect, test } from '@jest/globals';
import { addressIn, mayReach } from './addresses.ts';

test.each([
  ['public', '93.184.215.14'],
  ['public, IPv6', '2a00:1450:4003:80f::200e'],
  ['a Service of the cluster', '10.96.0.17'],
  ['private', '192.168.1.1'],
  ['unique local', 'fd00::1'],
  ['carrier-grade NAT, where some clusters have their pods', '100.64.3.4'],
  ['behind NAT64', '64:ff9b::5db8:d70e'],
])('%s may be reached: %s', (_what, address) => {
  expect(mayReach(address)).toBe(true);
});

test.each([
  ['this pod', '127.0.0.1'],
  ['this pod, IPv6', '::1'],
  ['this pod, mapped', '::ffff:7f00:1'],
  ['unspecified', '0.0.0.0'],
  ['unspecified, IPv6', '::'],
  ['metadata of AWS, Azure and Google', '169.254.169.254'],
  ['the same, mapped', '::ffff:169.254.169.254'],
  ['the same, behind NAT64', '64:ff9b::a9fe:a9fe'],
  ['credentials of ECS', '169.254.170.2'],
  ['metadata of Alibaba', '100.100.100.200'],
  ['metadata of Oracle', '192.0.0.192'],
  ['WireServer of Azure', '168.63.129.16'],
  ['metadata of AWS, IPv6', 'fd00:ec2::254'],
  ['link-local with a zone', 'fe80::1%eth0'],
  ['multicast', '224.0.0.1'],
  ['6to4', '2002:7f00:1::'],
  ['no address', 'hooks.example'],
])('%s may not: %s', (_what, address) => {
  expect(mayReach(address)).toBe(false);
});

test.each([
  ['https://10.0.0.1/x', '10.0.0.1'],
  ['https://2130706433/x', '127.0.0.1'],
  ['https://0x7f.1/x', '127.0.0.1'],
  ['https://[::1]:8443/x', '::1'],
  ['https://hooks.example/x', undefined],
])('the host of %s is the address %s', (url, address) => {
  expect(addressIn(new URL(url).hostname)).toBe(address);
});
