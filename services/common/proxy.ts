import ipaddr from 'ipaddr.js';
import * as z from 'zod';

const isNetwork = (text: string) => ipaddr.isValidCIDR(text) || ipaddr.isValid(text);

/**
 * TRUST_PROXY: the addresses and networks (CIDR) of the proxies in front of us, separated by commas. Only what they
 * say in X-Forwarded-For is believed; without any, the client is whoever opened the connection. The output is meant
 * for Fastify's `trustProxy`, after which `request.ip` is the nearest address that is not one of them.
 */
export const trustedProxies = z
  .string()
  .transform(text =>
    text
      .split(',')
      .map(network => network.trim())
      .filter(network => network !== ''),
  )
  .refine(networks => networks.every(isNetwork), 'must be addresses or CIDRs, for example 10.0.0.0/8,192.168.1.1')
  .refine(networks => !networks.some(network => /\/0+$/.test(network)), 'must not trust the whole world (/0)')
  .optional()
  .transform((networks): string[] | false => (networks === undefined || networks.length === 0 ? false : networks));

/** Whether an address is one of the trusted ones. An IPv4 address that arrived on an IPv6 socket is an IPv4 address. */
export function trusts(networks: readonly string[] | false): (address: string | undefined) => boolean {
  const ranges = (networks || []).map(toRange);
  return address => {
    if (address === undefined || !ipaddr.isValid(address)) return false;
    const parsed = ipaddr.process(address);
    return ranges.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits));
  };
}

function toRange(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  if (text.includes('/')) return ipaddr.parseCIDR(text);
  const address = ipaddr.process(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}
