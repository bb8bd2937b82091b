/** The route table: what Express never sees, what /metadata is made from and what the tests walk. */

import { MORTAR } from '../standards/fhir/canonical.ts';
import { asyncCancel, asyncStatus } from './interactions/async-status.ts';
import { capabilities } from './interactions/capabilities.ts';
import { create } from './interactions/create.ts';
import { conditionalDelete, deleteResource } from './interactions/delete.ts';
import { history } from './interactions/history.ts';
import { conditionalPatch, patch } from './interactions/patch.ts';
import { processMessage } from './interactions/process-message.ts';
import { read, vread } from './interactions/read.ts';
import { searchSystem, searchSystemByPost } from './interactions/search-system.ts';
import { compartmentSearch, searchByPost, searchType } from './interactions/search-type.ts';
import { conditionalUpdate, update } from './interactions/update.ts';
import { withNhsHeaders } from './nhs-headers.ts';
import { adjudicateClaim, submitEligibility } from './operations/claims.ts';
import { convertOperation, prepareOperation } from './operations/convert.ts';
import { epsMessageOr, epsMessageStatus, release, trackOr } from './operations/eps.ts';
import { doseToTextOperation, validateOperation, verifySignatureOperation } from './operations/eps-checks.ts';
import {
  expandOperation,
  lookupOperation,
  subsumesOperation,
  validateInCodeSystemOperation,
  validateInValueSetOperation,
} from './operations/terminology.ts';
import { translateOperation } from './operations/translate.ts';
import { validateInstance, validateType } from './operations/validate.ts';
import { recordRoutes } from './record-routes.ts';
import type { Handler } from './services.ts';

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `:type` is a storable resource type, `:compartment` one of the five, `:id` a FHIR id, `:version` anything. */
  readonly path: string;
  /** Code of https://hl7.org/fhir/R4/valueset-type-restful-interaction.html, or the operation's name. */
  readonly interaction: string;
  readonly level: 'system' | 'type' | 'operation';
  /**
   * Who may use it. `public`: anybody; `token`: any valid token, each part of the request being judged alone; letters on
   * the type of the path (SMART scopes: c, r, u, d, s); a right of the policy, or one of several. Where there are several
   * ways in, the handler asks for the one that the content needs.
   */
  readonly access:
    | 'public'
    | 'token'
    | { readonly letters: string }
    | { readonly right: string }
    | { readonly rights: readonly string[] }
    | { readonly letters: string; readonly orRight: string };
  readonly handle: Handler;
}

/** `bundle` handles batches and transactions; it is handed in because it dispatches to this very table. */
export const createRoutes = (bundle: Handler): readonly Route[] => [
  {
    method: 'GET',
    path: '/metadata',
    interaction: 'capabilities',
    level: 'operation',
    access: 'public',
    handle: capabilities,
  },
  { method: 'POST', path: '/', interaction: 'transaction', level: 'system', access: 'token', handle: bundle },
  { method: 'POST', path: '/', interaction: 'batch', level: 'system', access: 'token', handle: bundle },
  {
    method: 'GET',
    path: '/',
    interaction: 'search-system',
    level: 'system',
    access: { letters: 's' },
    handle: searchSystem,
  },
  {
    method: 'POST',
    path: '/_search',
    interaction: 'search-system',
    level: 'system',
    access: { letters: 's' },
    handle: searchSystemByPost,
  },
  {
    method: 'GET',
    path: '/_history',
    interaction: 'history-system',
    level: 'system',
    access: { letters: 's' },
    handle: history,
  },
  {
    method: 'POST',
    path: '/$process-message',
    interaction: 'process-message',
    level: 'operation',
    access: { rights: ['messages:send', 'eps:prescribe', 'eps:dispense'] },
    handle: epsMessageOr({ right: 'messages:send' }, withNhsHeaders(processMessage)),
  },
  {
    method: 'GET',
    path: '/$eps-message',
    interaction: 'eps-message',
    level: 'operation',
    access: { rights: ['eps:prescribe', 'eps:dispense'] },
    handle: epsMessageStatus,
  },
  {
    method: 'POST',
    path: '/Task/$release',
    interaction: 'release',
    level: 'operation',
    access: { right: 'eps:dispense' },
    handle: withNhsHeaders(release),
  },
  {
    method: 'POST',
    path: '/Claim/$adjudicate',
    interaction: 'adjudicate',
    level: 'operation',
    access: { right: 'claims:adjudicate' },
    handle: adjudicateClaim,
  },
  {
    method: 'POST',
    path: '/CoverageEligibilityRequest/$submit',
    interaction: 'submit',
    level: 'operation',
    access: { right: 'claims:adjudicate' },
    handle: submitEligibility,
  },
  {
    method: 'GET',
    path: '/Task',
    interaction: 'search-type',
    level: 'type',
    access: { letters: 's', orRight: 'eps:track' },
    handle: trackOr({ letters: 's' }, searchType),
  },
  {
    method: 'POST',
    path: '/Task',
    interaction: 'create',
    level: 'type',
    access: { letters: 'c', orRight: 'eps:dispense' },
    handle: epsMessageOr({ letters: 'c' }, create),
  },
  {
    method: 'POST',
    path: '/Claim',
    interaction: 'create',
    level: 'type',
    access: { letters: 'c', orRight: 'eps:dispense' },
    handle: epsMessageOr({ letters: 'c' }, create),
  },
  {
    method: 'POST',
    path: '/$validate',
    interaction: 'validate',
    level: 'operation',
    access: { right: 'convert' },
    handle: validateOperation,
  },
  {
    method: 'POST',
    path: '/$dose-to-text',
    interaction: 'dose-to-text',
    level: 'operation',
    access: { right: 'convert' },
    handle: doseToTextOperation,
  },
  {
    method: 'POST',
    path: '/$verify-signature',
    interaction: 'verify-signature',
    level: 'operation',
    access: { right: 'convert' },
    handle: verifySignatureOperation,
  },
  {
    method: 'POST',
    path: '/$convert',
    interaction: 'convert',
    level: 'operation',
    access: { right: 'convert' },
    handle: convertOperation,
  },
  {
    method: 'POST',
    path: '/$prepare',
    interaction: 'prepare',
    level: 'operation',
    access: { right: 'convert' },
    handle: withNhsHeaders(prepareOperation),
  },
  ...TERMINOLOGY_OPERATIONS.flatMap(terminologyRoutes),
  ...recordRoutes(),
  {
    method: 'GET',
    path: '/_async/:id',
    interaction: 'async-status',
    level: 'operation',
    access: 'token',
    handle: asyncStatus,
  },
  {
    method: 'DELETE',
    path: '/_async/:id',
    interaction: 'async-cancel',
    level: 'operation',
    access: 'token',
    handle: asyncCancel,
  },
  {
    method: 'POST',
    path: '/:type/$validate',
    interaction: 'validate',
    level: 'operation',
    access: { letters: 'c', orRight: 'convert' },
    handle: validateType,
  },
  {
    method: 'POST',
    path: '/:type/:id/$validate',
    interaction: 'validate',
    level: 'operation',
    access: { letters: 'r' },
    handle: validateInstance,
  },
  {
    method: 'GET',
    path: '/:type/:id/$validate',
    interaction: 'validate',
    level: 'operation',
    access: { letters: 'r' },
    handle: validateInstance,
  },
  {
    method: 'GET',
    path: '/:type',
    interaction: 'search-type',
    level: 'type',
    access: { letters: 's' },
    handle: searchType,
  },
  {
    method: 'POST',
    path: '/:type/_search',
    interaction: 'search-type',
    level: 'type',
    access: { letters: 's' },
    handle: searchByPost,
  },
  { method: 'POST', path: '/:type', interaction: 'create', level: 'type', access: { letters: 'c' }, handle: create },
  {
    method: 'PUT',
    path: '/:type',
    interaction: 'update',
    level: 'type',
    access: { letters: 'us' },
    handle: conditionalUpdate,
  },
  {
    method: 'PATCH',
    path: '/:type',
    interaction: 'patch',
    level: 'type',
    access: { letters: 'us' },
    handle: conditionalPatch,
  },
  {
    method: 'DELETE',
    path: '/:type',
    interaction: 'delete',
    level: 'type',
    access: { letters: 'ds' },
    handle: conditionalDelete,
  },
  {
    method: 'GET',
    path: '/:type/_history',
    interaction: 'history-type',
    level: 'type',
    access: { letters: 's' },
    handle: history,
  },
  { method: 'GET', path: '/:type/:id', interaction: 'read', level: 'type', access: { letters: 'r' }, handle: read },
  { method: 'PUT', path: '/:type/:id', interaction: 'update', level: 'type', access: { letters: 'u' }, handle: update },
  { method: 'PATCH', path: '/:type/:id', interaction: 'patch', level: 'type', access: { letters: 'u' }, handle: patch },
  {
    method: 'DELETE',
    path: '/:type/:id',
    interaction: 'delete',
    level: 'type',
    access: { letters: 'd' },
    handle: deleteResource,
  },
  {
    method: 'GET',
    path: '/:type/:id/_history',
    interaction: 'history-instance',
    level: 'type',
    access: { letters: 'r' },
    handle: history,
  },
  {
    method: 'GET',
    path: '/:type/:id/_history/:version',
    interaction: 'vread',
    level: 'type',
    access: { letters: 'r' },
    handle: vread,
  },
  {
    method: 'GET',
    path: '/:compartment/:id/:type',
    interaction: 'search-type',
    level: 'type',
    access: { letters: 's' },
    handle: compartmentSearch,
  },
  {
    method: 'POST',
    path: '/:compartment/:id/:type/_search',
    interaction: 'search-type',
    level: 'type',
    access: { letters: 's' },
    handle: searchByPost,
  },
];

/** Operations of every type. */
export const TYPE_OPERATIONS = [
  { name: 'validate', definition: 'http://hl7.org/fhir/OperationDefinition/Resource-validate' },
] as const;

/** Operations of one type and of its resources. */
export const TERMINOLOGY_OPERATIONS = [
  { type: 'CodeSystem', name: 'lookup', handle: lookupOperation },
  { type: 'CodeSystem', name: 'subsumes', handle: subsumesOperation },
  { type: 'CodeSystem', name: 'validate-code', handle: validateInCodeSystemOperation },
  { type: 'ValueSet', name: 'expand', handle: expandOperation },
  { type: 'ValueSet', name: 'validate-code', handle: validateInValueSetOperation },
  { type: 'ConceptMap', name: 'translate', handle: translateOperation },
].map((one) => ({ ...one, definition: `http://hl7.org/fhir/OperationDefinition/${one.type}-${one.name}` }));

/** They change nothing, so a GET is as good as a POST. https://hl7.org/fhir/R4/operations.html#executing */
function terminologyRoutes({ type, name, handle }: (typeof TERMINOLOGY_OPERATIONS)[number]): Route[] {
  return (['GET', 'POST'] as const).flatMap((method): Route[] => {
    const common = { method, interaction: name, level: 'operation', handle } as const;
    return [
      { ...common, path: `/${type}/$${name}`, access: { letters: 's' } },
      { ...common, path: `/${type}/:id/$${name}`, access: { letters: 'r' } },
    ];
  });
}

/** Operations the statement lists; those of a Spine are not everywhere. */
export const OPERATIONS = [
  { name: 'process-message', definition: 'http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message' },
  { name: 'convert', definition: `${MORTAR}/OperationDefinition/convert` },
  { name: 'prepare', definition: 'https://fhir.nhs.uk/OperationDefinition/prepare' },
  { name: 'validate', definition: `${MORTAR}/OperationDefinition/validate` },
  { name: 'dose-to-text', definition: `${MORTAR}/OperationDefinition/dose-to-text` },
  { name: 'verify-signature', definition: `${MORTAR}/OperationDefinition/verify-signature` },
] as const;

export interface RouteMatch {
  readonly route: Route | undefined;
  /** Methods the path knows, when the one asked for is not among them. */
  readonly allowed: readonly string[];
}

const COMPARTMENT_TYPES = new Set(['Device', 'Encounter', 'Patient', 'Practitioner', 'RelatedPerson']);

/** Compiles the table: a look-up by method and number of segments, then by pattern. */
export function compileRoutes(
  routes: readonly Route[],
  isType: (segment: string) => boolean,
  isId: (segment: string) => boolean,
): (method: string, segments: readonly string[]) => RouteMatch {
  const compiled = routes.map((route) => ({ route, pattern: route.path.split('/').filter((s) => s !== '') }));
  const byShape = new Map<string, typeof compiled>();
  for (const entry of compiled) {
    const key = `${entry.route.method} ${entry.pattern.length}`;
    byShape.set(key, [...(byShape.get(key) ?? []), entry]);
  }
  const fits = (pattern: readonly string[], segments: readonly string[]): boolean =>
    pattern.every((part, i) => {
      const segment = segments[i] as string; // same length
      if (part === ':type') return isType(segment);
      if (part === ':compartment') return COMPARTMENT_TYPES.has(segment);
      if (part === ':id') return isId(segment);
      return part === ':version' || part === segment;
    });
  return (method, segments) => {
    const wanted = method === 'HEAD' ? 'GET' : method;
    for (const { route, pattern } of byShape.get(`${wanted} ${segments.length}`) ?? [])
      if (fits(pattern, segments)) return { route, allowed: [] };
    const allowed = new Set(
      compiled
        .filter(({ pattern }) => pattern.length === segments.length && fits(pattern, segments))
        .map(({ route }) => route.method as string),
    );
    if (allowed.has('GET')) allowed.add('HEAD');
    return { route: undefined, allowed: [...allowed] };
  };
}
