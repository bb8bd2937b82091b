/** The route table: what Express never sees, what /metadata is made from and what the tests walk. */
import { MORTAR } from '../standards/fhir/canonical.ts';
import { BULK_ROUTES } from './bulk-routes.ts';
import { GATEWAY_ROUTES } from './gateway-routes.ts';
import { INDEX_ROUTES } from './index-routes.ts';
import { asyncCancel, asyncStatus } from './interactions/async-status.ts';
import { capabilities } from './interactions/capabilities.ts';
import { create } from './interactions/create.ts';
import { conditionalDelete, deleteResource } from './interactions/delete.ts';
import { history } from './interactions/history.ts';
import { conditionalPatch, patch } from './interactions/patch.ts';
import { read, vread } from './interactions/read.ts';
import { searchSystem, searchSystemByPost } from './interactions/search-system.ts';
import { compartmentSearch, searchByPost, searchType } from './interactions/search-type.ts';
import { conditionalUpdate, update } from './interactions/update.ts';
import { validateInstance, validateType } from './operations/validate.ts';
import { recordRoutes } from './record-routes.ts';
import type { Route } from './route.ts';
import type { Handler } from './services.ts';
import { terminologyRoutes } from './terminology-routes.ts';

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
  ...GATEWAY_ROUTES,
  ...terminologyRoutes(),
  ...recordRoutes(),
  ...BULK_ROUTES,
  ...INDEX_ROUTES,
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
    path: '/:compartment/:id/*',
    interaction: 'search-system',
    level: 'system',
    access: { letters: 's' },
    handle: searchSystem,
  },
  {
    method: 'POST',
    path: '/:compartment/:id/*/_search',
    interaction: 'search-system',
    level: 'system',
    access: { letters: 's' },
    handle: searchSystemByPost,
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

/** Operations the statement lists; those of a Spine are not everywhere. */
export const OPERATIONS = [
  { name: 'process-message', definition: 'http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message' },
  { name: 'convert', definition: `${MORTAR}/OperationDefinition/convert` },
  { name: 'prepare', definition: 'https://fhir.nhs.uk/OperationDefinition/prepare' },
  { name: 'validate', definition: `${MORTAR}/OperationDefinition/validate` },
  { name: 'dose-to-text', definition: `${MORTAR}/OperationDefinition/dose-to-text` },
  { name: 'verify-signature', definition: `${MORTAR}/OperationDefinition/verify-signature` },
] as const;
