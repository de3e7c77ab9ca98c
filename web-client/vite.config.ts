import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

// Where `npm run dev` finds a running hub; the built pages are served by the hub itself.
const hub = process.env.TONGKE_HUB ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [vue()],
  build: {
    // A classroom's PC is updated once in years: Chromium 109 is the last one for Windows 7.
    target: 'chrome109',
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  define: {
    __VUE_OPTIONS_API__: false,
    __VUE_PROD_DEVTOOLS__: false,
    __VUE_I18N_FULL_INSTALL__: false,
    __VUE_I18N_LEGACY_API__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
  },
  server: {
    proxy: {
      '/api': { target: hub, ws: true },
      '/whip': hub,
      '/whep': hub,
      '/sessions': hub,
    },
  },
})
