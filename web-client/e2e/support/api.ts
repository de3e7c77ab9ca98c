// Calls of the hub's API with the session of a page.
import type { Page } from 'playwright-core'

export async function callApi<Answer>(page: Page, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const { status, text } = await page.evaluate(async ([method, path, body, headers]) => {
    const response = await fetch(`/api/v1/${path}`, {
      method, headers: body === null ? headers : { 'content-type': 'application/json', ...headers }, body,
    })
    return { status: response.status, text: await response.text() }
  }, [method, path, body === undefined ? null : JSON.stringify(body), headers] as const)
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`)
  return (text === '' ? undefined : JSON.parse(text)) as Answer
}
