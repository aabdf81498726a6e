// hooked by data- attributes
