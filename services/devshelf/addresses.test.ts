import { BlockList } from 'node:net';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isPublic, publicOnly } from './addresses.ts';

test.each([
  ['8.8.8.8'],
  ['1.1.1.1'],
  ['93.184.215.14'],
  ['172.15.255.255'],
  ['172.32.0.0'],
  ['100.63.255.255'],
  ['100.128.0.0'],
  ['169.253.255.255'],
  ['192.167.255.255'],
  ['223.255.255.255'],
  ['2606:4700:4700::1111'],
  ['2a00:1450:4003:80f::200e'],
])('%s is public', address => {
  expect(isPublic(address)).toBe(true);
});

test.each([
  ['unspecified', '0.0.0.0'],
  ['this network', '0.1.2.3'],
  ['loopback', '127.0.0.1'],
  ['all of loopback', '127.255.255.254'],
  ['private, 10/8', '10.0.0.1'],
  ['private, 172.16/12', '172.16.0.1'],
  ['the end of 172.16/12', '172.31.255.255'],
  ['private, 192.168/16', '192.168.1.1'],
  ['carrier-grade NAT', '100.64.0.1'],
  ['link-local', '169.254.1.1'],
  ['metadata of AWS, Azure and Google', '169.254.169.254'],
  ['credentials of ECS', '169.254.170.2'],
  ['metadata of Alibaba', '100.100.100.200'],
  ['metadata of Oracle', '192.0.0.192'],
  ['WireServer of Azure', '168.63.129.16'],
  ['benchmarking', '198.18.0.1'],
  ['documentation', '192.0.2.1'],
  ['documentation 2', '198.51.100.1'],
  ['documentation 3', '203.0.113.1'],
  ['6to4 relay', '192.88.99.1'],
  ['multicast', '224.0.0.1'],
  ['reserved', '240.0.0.1'],
  ['broadcast', '255.255.255.255'],
  ['unspecified, IPv6', '::'],
  ['loopback, IPv6', '::1'],
  ['IPv4-compatible', '::8.8.8.8'],
  ['mapped loopback', '::ffff:127.0.0.1'],
  ['mapped loopback in hexadecimal', '::ffff:7f00:1'],
  ['mapped public', '::ffff:8.8.8.8'],
  ['translated', '::ffff:0:127.0.0.1'],
  ['NAT64', '64:ff9b::a9fe:a9fe'],
  ['local NAT64', '64:ff9b:1::1'],
  ['6to4', '2002:7f00:1::'],
  ['Teredo', '2001::1'],
  ['unique local', 'fd00::1'],
  ['metadata of AWS, IPv6', 'fd00:ec2::254'],
  ['metadata of Google, IPv6', 'fd20:ce::254'],
  ['link-local, IPv6', 'fe80::1'],
  ['site-local', 'fec0::1'],
  ['multicast, IPv6', 'ff02::1'],
  ['documentation, IPv6', '2001:db8::1'],
  ['discard', '100::1'],
  ['segment routing', '5f00::1'],
  ['not assigned', '4000::1'],
  ['with a zone', 'fe80::1%eth0'],
  ['one number', '2130706433'],
  ['hexadecimal', '0x7f000001'],
  ['octal', '0177.0.0.1'],
  ['short', '127.1'],
  ['a leading zero', '08.8.8.8'],
  ['a name', 'localhost'],
  ['nothing', ''],
])('%s is not public', (_case, address) => {
  expect(isPublic(address)).toBe(false);
});

// IANA's registries of special-purpose addresses, read by Node's own matcher: an oracle that shares no code with ours
const special = new BlockList();
for (const cidr of `0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
  192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4`.split(/\s+/)) {
  const [network = '', prefix] = cidr.split('/');
  special.addSubnet(network, Number(prefix), 'ipv4');
}

const ipv4 = fc.oneof(
  fc.ipV4(),
  // near the edges of the ranges as well, where random addresses seldom are
  fc
    .tuple(fc.constantFrom(0, 10, 100, 127, 169, 172, 192, 198, 203, 224, 240, 255), fc.ipV4())
    .map(([first, rest]) => rest.replace(/^\d+/, String(first))),
);

test('no address of a special range is public', () => {
  fc.assert(
    fc.property(ipv4, address => {
      if (special.check(address, 'ipv4')) expect(isPublic(address)).toBe(false);
    }),
    { numRuns: 3_000 },
  );
});

const embeddings = ['::ffff:', '::', '64:ff9b::', '::ffff:0:', '64:ff9b:1::'];

test('no IPv6 address that carries an IPv4 address is public', () => {
  fc.assert(
    fc.property(fc.constantFrom(...embeddings), ipv4, (prefix, address) => {
      expect(isPublic(prefix + address)).toBe(false);
    }),
    { numRuns: 2_000 },
  );
});

test('no IPv6 address outside of 2000::/3 is public', () => {
  const assigned = new BlockList();
  assigned.addSubnet('2000::', 3, 'ipv6');
  fc.assert(
    fc.property(fc.ipV6(), address => {
      if (!assigned.check(address, 'ipv6')) expect(isPublic(address)).toBe(false);
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  [80, true],
  [443, true],
  [8443, true],
  [22, false],
  [25, false],
  [5432, false],
  [6379, false],
  [10250, false],
  [0, false],
])('port %i', (port, allowed) => {
  expect(publicOnly.allowsPort(port)).toBe(allowed);
});
