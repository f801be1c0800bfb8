import * as z from 'zod';
import { text } from '../common/schemas.ts';
import { normalEmail, usernameKey } from './identities.ts';

/** Longer ones make nobody safer, and hashing them makes us slower. Characters */
const PASSWORD_MAX = 1_024;
const TOKEN_MAX = 4_096;

const EMAIL_MAX = 255;

const email = z
  .string()
  .transform((given, context) => {
    const address = normalEmail(given);
    if (address !== undefined && address.length <= EMAIL_MAX) return address;
    context.addIssue('must be an e-mail address, for example ana@example.org');
    return z.NEVER;
  })
  .meta({ format: 'email', maxLength: EMAIL_MAX, description: 'the domain is stored in small letters' });

const username = text({ min: 1, max: 50 }).refine(name => usernameKey(name) !== '', 'must have a visible character');

export const registration = (passwordMin: number) =>
  z
    .object({
      username,
      email,
      password: text({ min: passwordMin, max: PASSWORD_MAX }).meta({ format: 'password' }),
    })
    .meta({ id: 'UserCreate' });

export const passwordChange = (passwordMin: number) =>
  z
    .object({
      current_password: text({ max: PASSWORD_MAX }).meta({ format: 'password' }),
      new_password: text({ min: passwordMin, max: PASSWORD_MAX }).meta({ format: 'password' }),
    })
    .meta({ id: 'PasswordChange' });

/** The address as it is stored, for it is looked up. */
export const forgottenPassword = z.object({ email }).meta({ id: 'ForgottenPassword' });

export const accepted = z.object({}).meta({ id: 'Accepted' });

export const passwordReset = (passwordMin: number) =>
  z
    .object({
      token: text({ max: TOKEN_MAX }).meta({ description: 'from the mail; good for one use' }),
      new_password: text({ min: passwordMin, max: PASSWORD_MAX }).meta({ format: 'password' }),
    })
    .meta({ id: 'PasswordReset' });

export const session = z
  .object({
    id: z.guid(),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().meta({ description: 'unless it is refreshed before' }),
    current: z.boolean().meta({ description: 'the session of the token that asks' }),
  })
  .meta({ id: 'Session' });

export const user = z
  .object({ id: z.guid(), username: z.string(), email: z.string(), is_active: z.boolean() })
  .meta({ id: 'UserRead' });

/** JSON or an OAuth2 password form; the e-mail that some clients send along is not looked at. */
export const credentials = z
  .object({
    grant_type: z.literal(['password', '']).optional(),
    username: text({ max: 255 }),
    password: text({ max: PASSWORD_MAX }).meta({ format: 'password' }),
  })
  .meta({ id: 'Credentials' });

export const tokenPair = z
  .object({
    access_token: z.string(),
    token_type: z.literal('bearer'),
    expires_in: z.int().meta({ description: 'seconds until the access token ends' }),
    refresh_token: z.string().meta({ description: 'good for one use' }),
  })
  .meta({ id: 'Token' });

export const refreshRequest = z
  .object({ grant_type: z.literal(['refresh_token', '']).optional(), refresh_token: text({ max: TOKEN_MAX }) })
  .meta({ id: 'RefreshRequest' });

/** RFC 7009's `token`, or every session of the user who asks. */
export const revocation = z
  .object({
    token: text({ max: TOKEN_MAX }).meta({ description: 'an access or refresh token: its session ends' }).optional(),
    token_type_hint: text({ max: 50 }).optional(),
    all: z
      .literal([true, 'true'])
      .meta({ description: 'every session of the user of the Bearer token ends' })
      .optional(),
  })
  .refine(({ token, all }) => token !== undefined || all !== undefined, { path: ['token'], error: 'Field required' })
  .meta({ id: 'Revocation', anyOf: [{ required: ['token'] }, { required: ['all'] }] });

export const revoked = z.object({}).meta({ id: 'Revoked' });
