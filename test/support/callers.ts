/** Callers as the doors make them, from what tokens and role records say. */
import type { Caller, CallerUser, ProxyRight, Role } from '../../src/ports/caller.ts';
import { parseScope, type ResourceScope } from '../../src/standards/smart/scope.ts';

export function scopesOf(text: string): readonly ResourceScope[] {
  return text
    .split(' ')
    .filter((one) => one !== '')
    .map((one) => {
      const resource = parseScope(one)?.resource;
      if (!resource) throw new Error(`${one} is no scope`);
      return resource;
    });
}

export interface PersonOptions {
  readonly scopes?: string;
  readonly practitioner?: string;
  readonly practitionerRoles?: readonly string[];
  readonly organizations?: readonly string[];
  readonly patients?: readonly string[];
  readonly emergency?: readonly string[];
  /** Of those, where law is the reason. */
  readonly lawful?: readonly string[];
  readonly proxies?: readonly ProxyRight[];
  /** Launch context. */
  readonly patient?: string;
  readonly client?: string;
}

/** A person who signed in. */
export function person(roles: Role | readonly Role[], options: PersonOptions = {}): Caller {
  const list = typeof roles === 'string' ? [roles] : roles;
  const user: CallerUser = {
    id: `user-${list.join('-').toLowerCase()}-${[options.practitioner, ...(options.patients ?? [])].join('-')}`,
    name: 'A Person',
    roles: list,
    ...(options.practitioner !== undefined && { practitionerId: options.practitioner }),
    practitionerRoleIds: options.practitionerRoles ?? [],
    organizationIds: options.organizations ?? [],
    patientIds: options.patients ?? [],
    ...(options.emergency && { emergencyPatientIds: options.emergency }),
    ...(options.lawful && { lawfulPatientIds: options.lawful }),
    ...(options.proxies && { proxies: options.proxies }),
    authTime: 0,
    amr: ['pwd', 'otp'],
  };
  return {
    kind: 'user',
    name: options.client ?? 'app-1',
    correlationId: 'test',
    scopes: scopesOf(options.scopes ?? 'user/*.cruds'),
    otherScopes: [],
    user,
    ...(options.patient !== undefined && { patientId: options.patient }),
  };
}

/** A patient's app with the patient in context. */
export const patientApp = (id: string, scopes = 'patient/*.cruds', options: PersonOptions = {}): Caller =>
  person('PATIENT', { scopes, patients: [id], patient: id, ...options });

/** A program that acts for itself. */
export const client = (scopes: string, name = 'client-1'): Caller => ({
  kind: 'client',
  name,
  correlationId: 'test',
  scopes: scopesOf(scopes),
  otherScopes: [],
  clientId: name,
});
