// screenshots; not kept
import { chromium } from 'playwright-core'
import { readFileSync } from 'node:fs'
const base = 'http://localhost:15173'
const out = '/work/tree/grid/target/tmp/'
const api = 'http://127.0.0.1:18080'
const state = out + 'state.json'
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] })
const cookies = readFileSync(out + 'jar', 'utf8').split('\n').filter(l => l.includes('\t')).map(l => l.split('\t')).map(f => ({ name: f[5], value: f[6], domain: 'localhost', path: '/' }))
const [w, h] = (process.argv[2] ?? '1366x768').split('x').map(Number)
const context = await browser.newContext({ viewport: { width: w, height: h }, locale: 'zh-CN', timezoneId: 'Asia/Shanghai' })
await context.addCookies(cookies)
if (process.env.LANG_EN) await context.addInitScript(() => localStorage.setItem('tongke.language', 'en'))
const page = await context.newPage()
page.on('pageerror', e => console.log('ERR', e.message))
page.on('console', m => { if (['error', 'warning'].includes(m.type())) console.log(m.type(), m.text().slice(0, 200)) })
const shots = process.argv.slice(3)
for (const shot of shots) {
  const [name, path, ...steps] = shot.split('::')
  await page.goto(base + path)
  await page.waitForTimeout(2500)
  for (const step of steps) {
    try {
      if (step.startsWith('click=')) await page.click(step.slice(6), { timeout: 5000 })
      else if (step.startsWith('key=')) await page.keyboard.press(step.slice(4))
      else if (step.startsWith('wait=')) await page.waitForTimeout(Number(step.slice(5)))
      else if (step.startsWith('eval=')) console.log(await page.evaluate(step.slice(5)))
      else if (step.startsWith('drag=')) {
        const [a, b] = step.slice(5).split('=>')
        const from = await page.locator(a).first().boundingBox(); const to = await page.locator(b).first().boundingBox()
        await page.mouse.move(from.x + 20, from.y + 15); await page.mouse.down(); await page.mouse.move(from.x + 40, from.y + 30); await page.mouse.move(to.x + 30, to.y + 30, { steps: 4 }); await page.waitForTimeout(1500)
        if (step.includes('&drop')) {}
      }
      else if (step === 'drop') { await page.mouse.up(); await page.waitForTimeout(1500) }
      else if (step.startsWith('shot=')) await page.screenshot({ path: `${out}${step.slice(5)}-${w}.png` })
    } catch (e) { console.log('STEP', name, step, e.message.slice(0, 300)) }
  }
  await page.screenshot({ path: `${out}${name}-${w}.png` })
}
await browser.close()
