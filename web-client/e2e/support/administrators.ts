// The first three administrators of a new hub: each sets a password and a second factor behind a link of their own.
import type { Page } from 'playwright-core'
import { byTestId } from './selectors'
import { unusedCode } from './totp'

const PASSWORD = 'Jing-jia-2026'

export interface Links { system_administrator: string, security_administrator: string, audit_administrator: string }

/** Fills the form of a hub that is not set up yet. */
export async function setUp(page: Page): Promise<Links> {
  await page.fill(byTestId('top-name'), '汉滨区教育体育局')
  await page.fill(byTestId('top-code'), '610902')
  for (const [role, name] of [['system', '王系统'], ['security', '孙安全'], ['audit', '钱审计']] as const) {
    await page.fill(byTestId(`${role}_administrator-name`), name)
    await page.fill(byTestId(`${role}_administrator-sign-in-name`), `${role}-one`)
  }
  await page.click(byTestId('set-up'))
  const link = (role: string) => page.locator(`${byTestId(`link-${role}`)} input`).inputValue()
  return {
    system_administrator: await link('system_administrator'),
    security_administrator: await link('security_administrator'),
    audit_administrator: await link('audit_administrator'),
  }
}

/** Behind a set-up link: sets the password and binds an authenticator. Returns the secret of its codes. */
export async function setOwnPassword(page: Page): Promise<string> {
  await page.fill(byTestId('new-password'), PASSWORD)
  await page.fill(byTestId('new-password-again'), PASSWORD)
  await page.click(byTestId('set-password'))
  const secret = await page.locator(byTestId('totp-secret')).textContent() ?? ''
  await page.fill(byTestId('totp-code'), await unusedCode(secret))
  await page.click(byTestId('bind-totp'))
  await page.waitForSelector(byTestId('set-up-done'))
  return secret
}

export async function signIn(page: Page, name: string, secret: string): Promise<void> {
  await page.fill(byTestId('sign-in-name'), name)
  await page.fill(byTestId('password'), PASSWORD)
  await page.fill(byTestId('code'), await unusedCode(secret))
  await page.click(byTestId('sign-in'))
  await page.waitForURL(url => url.pathname !== '/sign-in')
}
