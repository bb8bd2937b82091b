/** Tells people about their account. No sender is part of Mortar yet: what is handed in decides how it is told. */
export interface Notice {
  readonly kind:
    | 'reset'
    | 'verify-email'
    | 'already-registered'
    | 'recovery-code-used'
    | 'password-changed'
    | 'second-factor-changed'
    | 'app-access-ended';
  /** E-mail address. */
  readonly to: string;
  readonly name: string;
  /** To be opened once, by nobody else. */
  readonly link?: string;
  /** The app that lost what was granted to it. */
  readonly app?: string;
  /** Recovery codes that are left. */
  readonly left?: number;
}

export type Notify = (notice: Notice) => Promise<void>;
