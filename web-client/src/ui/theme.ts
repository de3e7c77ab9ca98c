import type { GlobalThemeOverrides } from 'naive-ui'
import type { Ref } from 'vue'
import { useMediaQuery } from '@vueuse/core'
import { computed } from 'vue'

/**
 * The component library in this project's colours; tokens.css is their only source.
 * The library computes colours and cannot use CSS variables, so they are read here, and again when dark mode changes.
 */
export function useTheme(): Readonly<Ref<GlobalThemeOverrides>> {
  const isDark = useMediaQuery('(prefers-color-scheme: dark)')
  return computed(() => {
    void isDark.value
    return overrides(getComputedStyle(document.documentElement))
  })
}

function overrides(style: CSSStyleDeclaration): GlobalThemeOverrides {
  const token = (name: string) => style.getPropertyValue(`--${name}`).trim()
  const [ground, surface, sunken, ink, muted, hairline] = ['ground', 'surface', 'sunken', 'ink', 'muted', 'hairline'].map(token) as [string, string, string, string, string, string]
  const [accent, strong, soft, onAccent] = ['accent', 'accent-strong', 'accent-soft', 'on-accent'].map(token) as [string, string, string, string]
  const [ok, warn, fault] = ['ok', 'warn', 'fault'].map(token) as [string, string, string]
  const radius = token('radius')
  return {
    common: {
      fontFamily: token('font'),
      fontFamilyMono: token('font'),
      fontSize: '14px',
      fontSizeSmall: '14px',
      fontSizeMedium: '14px',
      fontSizeLarge: '16px',
      lineHeight: '1.55',
      borderRadius: radius,
      borderRadiusSmall: radius,
      heightSmall: '32px',
      heightMedium: '36px',
      heightLarge: '40px',
      primaryColor: accent,
      primaryColorHover: strong,
      primaryColorPressed: strong,
      primaryColorSuppl: accent,
      successColor: ok,
      successColorHover: ok,
      successColorPressed: ok,
      warningColor: warn,
      warningColorHover: warn,
      warningColorPressed: warn,
      errorColor: fault,
      errorColorHover: fault,
      errorColorPressed: fault,
      infoColor: accent,
      infoColorHover: strong,
      infoColorPressed: strong,
      textColorBase: ink,
      textColor1: ink,
      textColor2: ink,
      textColor3: muted,
      textColorDisabled: muted,
      placeholderColor: muted,
      placeholderColorDisabled: muted,
      iconColor: muted,
      iconColorHover: ink,
      bodyColor: ground,
      baseColor: onAccent,
      cardColor: surface,
      modalColor: surface,
      popoverColor: surface,
      tableColor: ground,
      tableHeaderColor: ground,
      tableColorHover: sunken,
      tableColorStriped: sunken,
      inputColor: surface,
      inputColorDisabled: sunken,
      actionColor: sunken,
      hoverColor: sunken,
      borderColor: hairline,
      dividerColor: hairline,
      closeIconColor: muted,
      // Cards have a hairline border; only popovers have a shadow.
      boxShadow1: 'none',
    },
    DataTable: {
      thColor: ground,
      thColorHover: sunken,
      thTextColor: muted,
      thFontWeight: '500',
      tdColor: ground,
      tdColorHover: sunken,
      borderRadius: '0',
      thPaddingMedium: '8px 12px',
      tdPaddingMedium: '8px 12px',
      emptyPadding: '0',
    },
    Tree: { nodeColorActive: soft, nodeColorHover: sunken, nodeColorPressed: sunken, nodeHeight: '32px' },
    Tag: { color: sunken, border: `1px solid ${hairline}` },
    Input: { border: `1px solid ${hairline}`, borderHover: `1px solid ${muted}`, boxShadowFocus: 'none', boxShadowFocusError: 'none' },
    Tooltip: { color: ink, textColor: ground },
    Menu: { itemColorActive: soft, itemColorActiveHover: soft, itemTextColorActive: ink },
  }
}
