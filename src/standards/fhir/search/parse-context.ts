/** What the parts of the query parser share. */
import type { Definitions } from '../definitions.ts';
import { type Issue, type IssueCode, issue } from '../outcome.ts';
import type { SearchParameters } from './parameter.ts';

/** Bounds of one search (SECURITY, limits table). */
export interface SearchLimits {
  /** Largest page; a larger `_count` is answered with this many. */
  readonly count: number;
  readonly parameters: number;
  /** UTF-16 units of one value. */
  readonly valueLength: number;
  /** Values in one OR list. */
  readonly values: number;
  readonly chainDepth: number;
  readonly hasDepth: number;
  readonly includes: number;
  readonly sortKeys: number;
  /** Conditions that untyped chains may fan out to. */
  readonly branches: number;
}

export const SEARCH_LIMITS: SearchLimits = {
  count: 1000,
  parameters: 100,
  valueLength: 4096,
  values: 500,
  chainDepth: 4,
  hasDepth: 3,
  includes: 20,
  sortKeys: 10,
  branches: 1000,
};

/** What is wrong with one pair; `unknown` problems are ignored under lenient handling. */
export interface Problem {
  readonly issue: Issue;
  readonly unknown: boolean;
}

export interface ParseContext {
  readonly parameters: SearchParameters;
  readonly definitions: Definitions;
  readonly baseUrl: string;
  readonly limits: SearchLimits;
  readonly isType: (type: string) => boolean;
  /** Whether codes may be asked for by what terminology says of them: somebody resolves `token-set` conditions. */
  readonly hasTerminology: boolean;
  /** Conditions made so far, counted against `limits.branches`. */
  readonly spent: { branches: number };
}

const NAME_SHOWN_MAX = 64;

/** A parameter name as given, fit to be shown: names carry no patient data, but they can be long. */
export const shown = (name: string): string =>
  name.length > NAME_SHOWN_MAX ? `${name.slice(0, NAME_SHOWN_MAX).toWellFormed()}…` : name;

export const problem = (code: IssueCode, diagnostics: string): Problem => ({
  issue: issue(code, diagnostics),
  unknown: false,
});
export const unknown = (code: IssueCode, diagnostics: string): Problem => ({
  issue: issue(code, diagnostics),
  unknown: true,
});

/** Names that mean the same for every type, for suggestions. */
export const GENERAL_NAMES: readonly string[] = [
  ...[
    '_content',
    '_count',
    '_elements',
    '_filter',
    '_has',
    '_include',
    '_list',
    '_offset',
    '_revinclude',
    '_sort',
    '_summary',
    '_text',
    '_total',
  ],
];
