import type { Knex } from 'knex';

// Which patients deny anything: what a queue's counts ask before each page. Few do, however many consent.

export async function up(knex: Knex): Promise<void> {
  await knex.raw("create index consent_rule_denies on mortar.consent_rule (pat) where effect = 'D'");
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop index mortar.consent_rule_denies');
}
