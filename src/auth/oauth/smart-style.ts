/** How apps that are launched here may look so that they fit in: our colours and measures. SMART App Launch 2.2, "Styling" */
export const SMART_STYLE = {
  color_background: '#f0f4f5',
  color_error: '#d5281b',
  color_highlight: '#005eb8',
  color_modal_backdrop: '#212b32',
  color_success: '#007f3b',
  color_text: '#212b32',
  dim_border_radius: '4px',
  dim_font_size: '19px',
  dim_spacing_size: '24px',
  font_family_body: "Frutiger, 'Frutiger LT Pro', Arial, sans-serif",
  font_family_heading: "Frutiger, 'Frutiger LT Pro', Arial, sans-serif",
} as const;
