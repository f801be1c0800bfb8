import { expect, test } from '@jest/globals';
import fastify from 'fastify';
import * as z from 'zod';
import { readConfig } from './config.ts';
import { trustedProxies } from './proxy.ts';

const config = z.object({ TRUST_PROXY: trustedProxies });

async function clientSeen(TRUST_PROXY: string, from: string, forwardedFor: string): Promise<string> {
  const app = fastify({ trustProxy: readConfig(config, { TRUST_PROXY }).TRUST_PROXY });
  app.get('/', async request => request.ip);
  const response = await app.inject({ url: '/', remoteAddress: from, headers: { 'x-forwarded-for': forwardedFor } });
  return response.body;
}

test.each([
  ['nobody is trusted unless told', '', '10.0.0.1', '203.0.113.9', '10.0.0.1'],
  ['a trusted proxy is believed', '10.0.0.0/8', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
  ['a single address', '192.0.2.1, 10.0.0.1', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
  ['a stranger is not', '10.0.0.0/8', '192.0.2.1', '203.0.113.9', '192.0.2.1'],
  ['what the client itself made up is not', '10.0.0.0/8', '10.0.0.1', '1.2.3.4, 203.0.113.9, 10.9.9.9', '203.0.113.9'],
  ['IPv6', 'fd00::/8', 'fd00::1', '2001:db8::5', '2001:db8::5'],
])('%s', async (_case, trusted, from, forwardedFor, seen) => {
  expect(await clientSeen(trusted, from, forwardedFor)).toBe(seen);
});

test.each([['true'], ['10.0.0.0/33'], ['proxy.example.org'], ['0.0.0.0/0'], ['10.0.0.1,::/0']])('refused: %s', text => {
  expect(() => readConfig(config, { TRUST_PROXY: text })).toThrow('- TRUST_PROXY: must');
});
